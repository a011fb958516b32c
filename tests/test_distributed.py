"""One process connects to nothing; two real ones agree on a mean."""

import subprocess
import sys
from pathlib import Path

import pytest

from unimo_paddle import distributed

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """\
from unimo_paddle.distributed import mean, rank, world_size
print("ANSWER", rank(), world_size(), mean([rank(), 10.0 * rank() + 1.0]))
"""


def test_one_process_loads_no_paddle(monkeypatch):
    code = (
        "import sys; from unimo_paddle import distributed as d; "
        "assert (d.rank(), d.world_size(), d.mean([1.5, 2])) == (0, 1, [1.5, 2]); assert 'paddle' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    monkeypatch.setenv("PADDLE_TRAINER_ID", "3")
    monkeypatch.setenv("PADDLE_TRAINERS_NUM", "8")
    assert (distributed.rank(), distributed.world_size()) == (3, 8)


@pytest.mark.slow
def test_two_processes_agree(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2",
               "--log_dir", str(tmp_path / "log"), str(program)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120,
                   env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)})
    answers = "".join(path.read_text() for path in sorted((tmp_path / "log").glob("workerlog.*")))
    assert "ANSWER 0 2 [0.5, 6.0]" in answers and "ANSWER 1 2 [0.5, 6.0]" in answers
