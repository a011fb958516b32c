"""Set the process's CPU environment before Paddle is loaded. Standard library only.

Measured: the MKL that Paddle bundles takes its slow path on AMD processors (4 x slower matrix products) unless
MKL_DEBUG_CPU_TYPE=5 is set before the process starts; Paddle sets OMP_NUM_THREADS=1 when imported, but MKL obeys
MKL_NUM_THREADS first; returning every freed buffer to the system costs 1.3-1.4 x of a training step, and transposes
kept as strided views 1.27 x.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_TUNED = "UNIMO_PADDLE_TUNED"


def settings() -> dict[str, str]:
    """Return the variables that speed Paddle up on this machine; those the user has set already win."""
    wanted = {
        # Not OMP_NUM_THREADS: Paddle warns of every value of it but 1, and the matrix products are MKL's anyway.
        "MKL_NUM_THREADS": str(available_cores()),
        "FLAGS_use_stride_kernel": "0",
        "GLOG_minloglevel": "2",
        "PYTHONWARNINGS": "ignore:No ccache found,ignore:Image size",  # the latter: Pillow's above 89 million pixels
        "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
        "MALLOC_TRIM_THRESHOLD_": str(1 << 31),
        "MALLOC_TOP_PAD_": str(64 << 20),
    }
    if is_amd():
        wanted["MKL_DEBUG_CPU_TYPE"] = "5"
    return {name: os.environ.get(name, value) for name, value in wanted.items()}


def available_cores() -> int:
    """Return the number of cores this process may use, which a container may make fewer than the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_amd() -> bool:
    """Tell whether the processor is AMD's; False where /proc/cpuinfo cannot say."""
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False


def tune_process() -> None:
    """Give this process the settings, starting it anew when the C libraries would read them too late.

    Call it first in a tool, before numpy or Paddle is imported. The allocator and MKL read their variables when they
    are loaded, so the same command line is executed again, once, under the same process id.
    """
    if os.environ.get(_TUNED) == "1":
        return
    os.environ.update(settings())
    os.environ[_TUNED] = "1"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line, unchanged
