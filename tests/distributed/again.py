"""The loop of docs/checkpoints.md around Paddle's launcher, run as a user would."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.distributed import launch


def loop_file(folder: Path) -> Path:
    """The document's lines, as a file."""
    text = (launch.ROOT / "docs" / "checkpoints.md").read_text()
    (lines,) = re.findall(r"```bash\n(.*?)```", text, re.S)
    path = folder / "again.sh"
    path.write_text(lines)
    return path


@contextlib.contextmanager
def looped(module: str, arguments: Sequence[object], nodes: int, logs: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yield the running loops, one a node, with two processes in all; at the end each is killed with all it started."""
    logs.mkdir()
    master = [] if nodes == 1 else ["--nnodes", str(nodes), "--master", f"127.0.0.1:{launch.free_port()}"]
    loop, program = loop_file(logs), launch._shell_of(module, logs)
    loops = []
    try:
        for node in range(nodes):
            place = ["--rank", str(node)] if nodes > 1 else []
            command = [
                "bash", loop, sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", 2 // nodes, *place,
                "--log_dir", logs / f"node-{node}", *master, program, *arguments,
            ]  # fmt: skip
            with (logs / f"launcher-{node}").open("wb") as output:
                loops.append(
                    subprocess.Popen(
                        list(map(str, command)), cwd=launch.ROOT, env=launch._environment(None), start_new_session=True,
                        stdout=output, stderr=subprocess.STDOUT,
                    )
                )  # fmt: skip
        yield loops
    finally:
        for one in loops:
            launch._end(one)
