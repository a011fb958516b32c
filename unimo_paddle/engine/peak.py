"""The most that a device can do, to measure a run by: peak FLOP/s of its matrix products."""

from __future__ import annotations

from typing import NamedTuple

TERA = 1e12


class Peak(NamedTuple):
    """TFLOP/s of dense matrix products. half: float16 and bfloat16, on tensor cores; single: float32."""

    half: float
    single: float


# NVIDIA's data sheets of the cards, without sparsity. From A100 on, float32 is TF32: Paddle multiplies in it unless
# told otherwise (its test_tf32_cublas: the switch is on). V100's tensor cores know float16 only; bfloat16 has no peak.
PEAKS = {
    "V100-PCIE": Peak(112, 14), "V100": Peak(125, 15.7), "T4": Peak(65, 8.1), "A10": Peak(125, 62.5),
    "A100": Peak(312, 156), "A800": Peak(312, 156), "H100 PCIe": Peak(756, 378), "H100": Peak(989, 494.5),
    "H800": Peak(989, 494.5), "H200": Peak(989, 494.5),
}  # fmt: skip
BEFORE_BFLOAT16 = ("V100", "T4")


def peak_flops(device: str, dtype: str, told_tflops: float | None = None) -> float | None:
    """Return FLOP/s of one device, None when nobody knows.

    device: its name as the driver gives it, e.g. `Tesla V100-SXM2-32GB`, "" for a CPU; dtype: float32, float16 or
    bfloat16, in which most matrix products are done; told_tflops: what the settings say, which goes before the table.
    """
    if told_tflops is not None:
        return told_tflops * TERA
    words = device.replace("-", " ").split()
    # Longer names first: an H100 PCIe is slower than what is called H100 alone.
    known = [name for name in sorted(PEAKS, key=len, reverse=True) if set(name.replace("-", " ").split()) <= set(words)]
    if not known or (dtype == "bfloat16" and known[0].startswith(BEFORE_BFLOAT16)):
        return None
    peak = PEAKS[known[0]]
    return TERA * (peak.single if dtype == "float32" else peak.half)
