"""Builds the operators for this machine: `make operators`, or python -m unimo_paddle.operators.build.

The library's name carries a hash of all it depends on, processor included: what was built for another machine or
another Paddle is never found.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from unimo_paddle import files
from unimo_paddle.console import run_tool, say
from unimo_paddle.environment import tune_process
from unimo_paddle.errors import UserError

SOURCE = Path(__file__).resolve().parent / "source"
FOLDER = Path(__file__).resolve().parents[2] / "work" / "operators"
COMPILER = "g++"
# Not -ffast-math: it takes NaN and infinity for impossible, and those must stop a run.
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC", "-shared")
# In this order, and no libgomp: one OpenMP library, and so one set of threads, for MKL and the operators.
LIBRARIES = ("libs/libiomp5.so", "libs/libmklml_intel.so", "base/libpaddle.so")


def library_path(folder: Path = FOLDER) -> Path:
    """Return where this machine's library is or would be. UserError where there can be none."""
    faults = [f"{paddle_folder() / name} is absent" for name in LIBRARIES if not (paddle_folder() / name).exists()]
    if (sys.platform, platform.machine()) != ("linux", "x86_64") or faults:
        reason = "; ".join(faults) or f"this is {sys.platform} on {platform.machine()}"
        raise UserError(f"native operators are for Linux, x86-64 and Paddle's own build with MKL: {reason}; "
                        "set model.operators to plain")  # fmt: skip
    return folder / f"unimo_operators-{_key()}.so"


def build(folder: Path = FOLDER) -> Path:
    """Compile what is not there yet; return the library's path. Several processes may do so at once.

    UserError without a compiler, RuntimeError with its messages when it fails.
    """
    path = library_path(folder)
    if path.exists():
        return path
    if not shutil.which(COMPILER):
        raise UserError(f"{COMPILER} is missing; install it (apt-get install g++), or set model.operators to plain")
    with tempfile.TemporaryDirectory() as scratch, files.atomic_write(path) as file:
        made = Path(scratch) / path.name
        _compile(made)
        file.write(made.read_bytes())
    return path


def paddle_folder() -> Path:
    """Return the folder of the installed Paddle."""
    import paddle

    return Path(paddle.__file__).resolve().parent


def _compile(target: Path) -> None:
    paddle = paddle_folder()
    folders = [f"-I{SOURCE}", f"-isystem{paddle / 'include'}", f"-isystem{paddle / 'include' / 'third_party'}"]
    libraries = [str(paddle / name) for name in LIBRARIES]
    paths = [f"-Wl,-rpath,{paddle / name}" for name in ("libs", "base")]
    # The linker gets no -fopenmp, which would bring libgomp in: hence two calls.
    unit = target.with_suffix(".o")
    text = "".join(f'#include "{source.name}"\n' for source in sorted(SOURCE.glob("*.cc")))
    compiling = [flag for flag in FLAGS if flag != "-shared"]
    _run([COMPILER, *compiling, *folders, "-x", "c++", "-c", "-", "-o", str(unit)], text)
    _run([COMPILER, "-shared", str(unit), *libraries, *paths, "-o", str(target)])


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")


def _key() -> str:
    import paddle

    parts = [paddle.__version__, str(paddle_folder()), *FLAGS, *LIBRARIES, _processor()]
    parts += [source.read_text() for source in sorted(SOURCE.iterdir())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Return the processor's model and the instructions it knows."""
    lines = files.read_text("/proc/cpuinfo").splitlines()
    return "".join(next((line for line in lines if line.startswith(word)), "") for word in ("model name", "flags"))


def main(words: list[str]) -> int:
    """Build, and say where."""
    say(f"native operators: {build()}")
    return 0


if __name__ == "__main__":
    tune_process()
    run_tool(main)
