"""tools/evaluate.py: weights, splits and answers that do not fit."""

import json
from pathlib import Path

import pytest

from tests.mini_world import CONFIGS, World, call, refused
from unimo_paddle.corpus import Corpus


@pytest.mark.parametrize("folder", ["corpus", "none"])
def test_weights_that_are_none(world: World, folder: str) -> None:
    words = world.evaluate()
    words[words.index("--weights") + 1] = str(world.root / folder)
    refused(call(words), f"{world.root / folder} holds no checkpoints and no model.safetensors; name a run")


def test_a_split_that_does_not_exist(world: World) -> None:
    refused(call(world.evaluate("-o", "evaluation.split=dev")), "has no split 'dev'; it has composition, test")


def test_weights_of_another_size(world: World) -> None:
    done = call(world.evaluate("-o", "model.layers=2"))
    refused(done, "does not fit the model of this run", "encoder.layers.1.query.weight is missing")


def test_a_configuration_of_another_kind(world: World) -> None:
    detector = CONFIGS / "detector" / "small_world.yaml"
    done = call(["evaluate", "-c", str(detector), "--weights", str(world.run)])
    refused(done, "a run of kind detector", "evaluate one of kind pretrain or finetune")


def test_answers_of_another_split(world: World, tmp_path: Path) -> None:
    other = world.scenes / "retrieval" / "composition.json"
    refused(call(world.evaluate("-o", f"evaluation.answers={other}")), f"{other} says nothing of 16 of 16 captions")
    refused(call(world.evaluate("-o", f"evaluation.answers={tmp_path}/x")), f"{tmp_path}/x does not exist")
    (tmp_path / "list.json").write_text("[]")
    refused(call(world.evaluate("-o", f"evaluation.answers={tmp_path}/list.json")), "`caption_images`", "is wanted")


def test_a_missing_picture_is_told_before_the_scoring(world: World, tmp_path: Path) -> None:
    """The sheet comes last, but what it needs is looked at first."""
    picture = Corpus(world.corpus).images("test")[0].path
    aside = picture.rename(tmp_path / "aside.jpg")
    try:
        done = call(world.evaluate("--sheet", str(tmp_path / "sheet.png")))
    finally:
        aside.rename(picture)
    refused(done, f"{picture} does not exist")
    assert "R@1" not in done.out
    refused(call(world.evaluate("--sheet", str(tmp_path))), f"--sheet {tmp_path} is a folder; name a PNG file")


def test_the_answer_depends_on_the_weights_alone(world: World) -> None:
    """The run's folder or its newest checkpoint: the same table."""
    checkpoint = sorted((world.run / "checkpoints").iterdir())[-1]
    words = world.evaluate("-o", "evaluation.captions_per_image=1")
    whole = call(words)
    words[words.index("--weights") + 1] = str(checkpoint)
    one, other = (json.loads(done.out.splitlines()[-1]) for done in (whole, call(words)))
    assert one.pop("weights") != other.pop("weights")
    assert one == other and one["text_to_image_queries"] == 16
