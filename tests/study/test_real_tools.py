"""A sweep whose runs are real: pretraining on the miniature world, judged by retrieval."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import mini_world
from tests.mini_world import STEPS, World


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_pretraining_is_swept(world: World, tmp_path: Path, engine: str) -> None:
    words = ["sweep", "-c", str(world.run / "config.yaml"), "--grid", "optimizer.peak_lr=1e-12,0.001",
             "train.seed=1..2", "--jobs", "2", "--engine", engine, "--out", str(tmp_path / "out")]  # fmt: skip
    done = mini_world.run(words)
    assert done.status == 0, done.out + done.err
    rows = pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()
    assert [row["state"] for row in rows] == ["done"] * 4 and {row["steps"] for row in rows} == {STEPS}
    assert all(row["train_seconds"] > 0 and row["flops"] > 0 and row["score/image_to_text_queries"] for row in rows)
    still, learns = ([row["loss/total"] for row in rows if row["overrides"][0] == f"optimizer.peak_lr={rate}"]
                     for rate in ("1e-12", "0.001"))  # fmt: skip
    assert max(learns) < min(still), "the same seed, steps and data; only one of them learns"
    assert json.loads(rows[0]["data"]).keys() and rows[0]["splits"] == ["test"]
    again = mini_world.run(words)
    assert again.status == 0 and "4 done before, 0 to do" in again.out
