"""Two processes save, fail and read checkpoints together."""

import json
from pathlib import Path

import pytest

from tests.distributed.launch import launch
from unimo_paddle.engine.snapshot import read_snapshot

SETTINGS = "kind: pretrain\ndata: {corpus: c, regions: r, tokenizer: t}\ntrain: {steps: 10}\noutput: {directory: x}\n"
PARTS = ["optimizer-00001-of-00002.safetensors", "optimizer-00002-of-00002.safetensors"]
WHOLE = ["manifest.json", "model.safetensors", "optimizer.safetensors", "state.json"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[dict]]:
    """The folder, the logs, and what each rank told, by question."""
    directory = tmp_path_factory.mktemp("two")
    (directory / "run.yaml").write_text(SETTINGS)
    logs = launch("tests.distributed.checkpoint_work", [directory], processes=2, tmp_path=directory)
    told = [{} for _ in logs]
    for answers, log in zip(told, logs, strict=True):
        for line in log.splitlines():
            if line.startswith("TOLD "):
                answers.update(json.loads(line[5:]))
    return directory, logs, told


def test_each_rank_writes_its_part_and_reads_all_of_them(ranks):
    directory, _, told = ranks
    for answers in told:
        assert answers["saved 1"] == answers["saved 2"] == sorted({*WHOLE, *PARTS} - {"optimizer.safetensors"})
        assert answers["newest"] == [2, ["w"], ["moment1:p0", "moment1:p1"]]
        assert answers["whole state on rank 0 only"] == WHOLE
    alone = read_snapshot(directory / "run" / "checkpoints" / "step-00000002")  # by one process
    assert alone.step == 2 and sorted(alone.optimizer) == ["moment1:p0", "moment1:p1"]


def test_what_one_rank_may_not_save_none_does(ranks):
    first, second = ranks[2]
    assert first["no number on rank 1"] == "UserError: rank 1 failed, and all with it; its log says why"
    assert "step 4 was not saved: 1 of 1 arrays" in second["no number on rank 1"]


def test_a_full_disk_on_one_rank_counts_for_all(ranks):
    _, logs, (first, second) = ranks
    for step in (5, 6):
        assert first[f"full disk {step}"] is None and second[f"full disk {step}"] is None
    assert first["full disk 7"] == "OSError: rank 1 failed, and all with it; its log says why"
    assert second["full disk 7"].startswith("OSError: [Errno 28] No space left on device")
    assert "the checkpoint of step 6 was not saved: rank 1 failed" in logs[0]
    assert f"checkpoints/step-00000006/{PARTS[1]}: the disk is full" in logs[1]


def test_all_fall_back_to_the_same_one(ranks):
    directory, logs, told = ranks
    assert [answers["damaged"] for answers in told] == [[2, ["w"], ["moment1:p0", "moment1:p1"]]] * 2
    assert "going back to the checkpoint before it" in logs[0] and "going back" not in logs[1]
    left = sorted(path.name for path in (directory / "run" / "checkpoints").iterdir())
    assert left == ["step-00000002", "step-00000003"]


def test_a_node_with_other_data_is_found_out(ranks):
    first, second = ranks[2]
    assert first["same data"] is None and second["same data"] is None
    assert "rank 1 failed" in first["other data on rank 1"]
    assert "the captions differ" in second["other data on rank 1"]
