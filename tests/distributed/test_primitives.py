"""The numbers that ranks share, and a failure on one of them."""

import pytest

from tests.distributed.launch import launch
from tests.distributed.small_pretraining import WEIGHTS, trainer_of, write_world
from unimo_paddle.engine.replay import replay


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_world(folder)
    (folder / "run").mkdir()
    return folder


def test_two_processes_agree(folder, tmp_path):
    logs = launch("tests.distributed.checks", [folder], 2, tmp_path=tmp_path)
    assert [f"CHECKED {rank}" in log for rank, log in enumerate(logs)] == [True, True]
    # One process looks at what the second one did.
    lines = replay(folder / "run" / "failed-step-00000003", trainer_of(folder, tmp_path).work)
    text = "\n".join(lines)
    assert "2 processes" in lines[0] and "process 1, pair: pair" in text
    assert "1 of" in text and "parts.0.sequences.features are not finite" in text
    assert "part 0 (VisualPart): region_regression nan" in text
    assert "encoder.image_projection (Linear); its inputs are not finite either" in text
    assert "part 1 (ContrastPart): contrastive" in text and "gradient not finite" in text
    assert any(line.startswith("    gradient ") and "most of it for" in line for line in lines)
    assert WEIGHTS.keys() >= {"contrastive"}
