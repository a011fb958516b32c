"""Planned memory against the resident set of real steps: three shapes, all kinds, with and without recompute."""

import pytest

from tests.bench.planned_memory import measured

pytestmark = pytest.mark.slow
SHAPES = {
    "narrow, long": (8, [
        "model.width=256", "model.layers=6", "model.heads=4", "model.vocabulary=5000", "model.feature_width=512",
        "model.region_classes=100", "data.max_tokens=64", "data.max_regions=36", "texts.max_tokens=256"]),
    "wide, few layers": (4, [
        "model.width=512", "model.layers=4", "model.heads=8", "model.vocabulary=20000", "model.feature_width=2048",
        "model.region_classes=1601", "data.max_tokens=40", "data.max_regions=100", "texts.max_tokens=128"]),
    "deep, short": (24, [
        "model.width=192", "model.layers=16", "model.heads=3", "model.vocabulary=3000", "model.feature_width=256",
        "model.region_classes=50", "data.max_tokens=20", "data.max_regions=30", "texts.max_tokens=64"]),
}  # fmt: skip


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("kind", ["text", "image", "pair"])
@pytest.mark.parametrize("shape", SHAPES)
def test_planned_memory_is_measured_memory_within_15_percent(shape, kind, recompute):
    count, settings = SHAPES[shape]
    found = measured(kind, recompute, count * (1 if kind == "pair" else 3), settings)
    print(f"{shape}, {kind}, recompute {recompute}: {found['planned'] / 2**20:.0f} MiB planned, "
          f"{found['measured'] / 2**20:.0f} MiB measured, ratio {found['ratio']:.3f}")  # fmt: skip
    assert 0.85 < found["ratio"] < 1.15
