"""Versions, GPUs, cores, memory: what one process sees of its machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from unimo_paddle import environment
from unimo_paddle.config import PretrainRun
from unimo_paddle.distributed import local_rank, world_size
from unimo_paddle.engine.device import on_gpu
from unimo_paddle.engine.plan import DataSizes
from unimo_paddle.engine.plan.cards import device_state, largest_part, needed_bytes
from unimo_paddle.engine.plan.table import gib
from unimo_paddle.preflight.findings import FAIL, OK, Finding, judged

GIB = 1 << 30
SHARED = Path("/dev/shm")  # noqa: S108 - NCCL uses it
# On a CPU the tuned allocator keeps freed memory for later: so many times the plan at most (docs/pretraining.md).
KEPT_BY_ALLOCATOR = 1.4
QUERY = "name,memory.total,memory.free,driver_version"


def look(run: PretrainRun, known: DataSizes) -> Iterator[Finding]:
    """Yield what there is to say about the machine."""
    yield _versions()
    yield _accelerator(run)
    yield _cores()
    yield _environment()
    yield _memory(run, known)
    if on_gpu() and world_size() > 1:
        yield _shared_memory()


def local_processes() -> int:
    """Return how many processes of the run share this machine, as the launcher says."""
    return int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))


def gpu_lines() -> list[str]:
    """Return name, total and free memory and driver of each GPU as the driver's own tool says, [] without one."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    words = [tool, f"--query-gpu={QUERY}", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def available_memory(meminfo: str) -> int:
    """Return the bytes of memory that programs can still take, from the text of /proc/meminfo."""
    lines = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return int(lines["MemAvailable"].split()[0]) * 1024


def _versions() -> Finding:
    import paddle

    cuda, cudnn, nccl = paddle.version.cuda(), paddle.version.cudnn(), paddle.version.nccl()
    libraries = f"CUDA {cuda}, cuDNN {cudnn}, NCCL {nccl}" if paddle.is_compiled_with_cuda() else "built for CPUs"
    return Finding(OK, "versions", f"Python {platform.python_version()}, Paddle {paddle.__version__}, {libraries}")


def _accelerator(run: PretrainRun) -> Finding:
    cards = gpu_lines()
    if on_gpu():
        mine = cards[local_rank()] if local_rank() < len(cards) else "nvidia-smi does not say which"
        return Finding(OK, "device", f"GPU {local_rank()} of {len(cards)}: {mine}")
    if run.precision.level != "O0":
        return Finding(FAIL, "device", "a CPU", f"precision.level {run.precision.level} needs a GPU: install "
                       "paddlepaddle-gpu on a machine that has one, or give -o precision.level=O0")  # fmt: skip
    return judged("device", "a CPU", not cards, f"{len(cards)} GPUs lie idle: install paddlepaddle-gpu")


def _cores() -> Finding:
    cores, processes = environment.available_cores(), local_processes()
    return judged(
        "cores", f"{cores} for {processes} processes", cores >= 2 * processes or not on_gpu(),
        "a process prepares its batches beside the GPU: two cores each are wanted",
    )  # fmt: skip


def _environment() -> Finding:
    wanted = environment.settings()
    lacking = [f"{name}={value}" for name, value in wanted.items() if os.environ.get(name) != value]
    told = f"{len(wanted) - len(lacking)} of {len(wanted)} variables are set"
    return judged("CPU environment", told, not lacking, f"start by tools/train.py, or set {' '.join(lacking)}")


def _memory(run: PretrainRun, known: DataSizes) -> Finding:
    """Compare the plan's need with what is free: of the GPU's memory, else of the machine's."""
    share = world_size() * run.train.accumulate
    part, state = largest_part(run, known, share), device_state(run, world_size())
    cards = gpu_lines() if on_gpu() else []
    if local_rank() < len(cards):
        needed, free = needed_bytes(state, part.bytes), int(cards[local_rank()].split(",")[2].split()[0]) << 20
    else:
        needed = round((state.total + part.bytes.peak) * KEPT_BY_ALLOCATOR) * local_processes()
        free = available_memory(Path("/proc/meminfo").read_text())
    return judged(
        "memory", f"{gib(free)} free, {gib(needed)} planned ({part.name})", needed <= free,
        "raise train.accumulate, set model.recompute=true or lower the rows of a step: --dry-run shows what fits",
    )  # fmt: skip


def _shared_memory() -> Finding:
    free = shutil.disk_usage(SHARED).free if SHARED.is_dir() else 0
    return judged(
        str(SHARED), f"{gib(free)} free", free >= GIB,
        "NCCL passes data between processes there: 1 GiB is wanted, in a container --shm-size=1g or more",
    )  # fmt: skip
