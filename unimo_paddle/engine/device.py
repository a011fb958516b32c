"""What this process computes on."""

from __future__ import annotations

import resource

import paddle

_KIB = 1024


def on_gpu() -> bool:
    """Tell whether tensors are on a GPU."""
    return str(paddle.get_device()).startswith("gpu")


def device_name() -> str:
    """Return the GPU's name as its driver gives it, e.g. `Tesla V100-SXM2-32GB`; "" for a CPU."""
    return str(paddle.device.cuda.get_device_name()) if on_gpu() else ""


def synchronise() -> None:
    """Wait until the device has done all that it was given; a CPU has always."""
    if on_gpu():
        paddle.device.synchronize()


def peak_memory() -> int:
    """Return the most bytes that were in use so far: of the GPU's memory, else the process's resident set."""
    if on_gpu():
        return int(paddle.device.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB
