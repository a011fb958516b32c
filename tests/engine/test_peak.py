"""Peaks by the names that drivers give."""

import pytest

from unimo_paddle.engine.peak import peak_flops


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [
        ("Tesla V100-SXM2-32GB", "float16", 125),
        ("Tesla V100-SXM2-16GB", "float32", 15.7),
        ("Tesla V100-PCIE-16GB", "float16", 112),
        ("NVIDIA A100-SXM4-80GB", "bfloat16", 312),
        ("NVIDIA A100-PCIE-40GB", "float32", 156),
        ("NVIDIA A10", "float16", 125),
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989),
        ("NVIDIA H100 PCIe", "float16", 756),
        ("NVIDIA H200", "float32", 494.5),
        ("Tesla T4", "float16", 65),
    ],
)
def test_known_cards(name, dtype, tflops):
    assert peak_flops(name, dtype) == pytest.approx(tflops * 1e12)


def test_what_nobody_knows():
    assert peak_flops("", "float32") is None
    assert peak_flops("NVIDIA A1000", "float16") is None
    assert peak_flops("Tesla V100-SXM2-32GB", "bfloat16") is None  # has no such units


def test_the_settings_go_first():
    assert peak_flops("", "float32", 0.15) == pytest.approx(1.5e11)
    assert peak_flops("Tesla T4", "float16", 60) == pytest.approx(6e13)
