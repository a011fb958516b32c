import json

import numpy as np
import pytest

from tests.prepare.small_world.scene_checker import RELATIONS, Judge
from unimo_paddle.prepare.small_world.language import indefinite, listing, noun_phrase


def karpathy(folder):
    return json.loads((folder / "coco/dataset.json").read_text())["images"]


def backgrounds(folder):
    """Phrase of each image's background; in the drawn world the key ends with it."""
    scenes = json.loads((folder / "scenes.json").read_text())["scenes"]
    return {scene["image_id"]: scene["background"].split("/")[1] for scene in scenes}


def test_every_caption_is_true_and_grammatical_by_an_independent_reader(world_folder):
    judge, grounds = Judge(world_folder), backgrounds(world_folder)
    faults = [(sentence["raw"], fault) for image in karpathy(world_folder) for sentence in image["sentences"]
              for fault in judge.faults(sentence["raw"], image["cocoid"], grounds[image["cocoid"]])]
    assert faults == []


def test_the_independent_reader_finds_planted_faults(world_folder):
    judge, grounds = Judge(world_folder), backgrounds(world_folder)
    swaps = {"left of": "right of", "above": "below", "red": "blue", "Three things": "Four things", " a ": " an "}
    for old, new in swaps.items():
        raw, image_id = next((sentence["raw"], image["cocoid"]) for image in karpathy(world_folder)
                             for sentence in image["sentences"] if old in sentence["raw"])
        assert judge.faults(raw.replace(old, new), image_id, grounds[image_id]), raw


def test_five_different_captions_and_the_first_names_everything(world_folder):
    judge = Judge(world_folder)
    for image in karpathy(world_folder):
        texts = [sentence["raw"] for sentence in image["sentences"]]
        assert len(set(texts)) == 5
        for thing in judge.objects[image["cocoid"]]:
            assert thing["name"] in texts[0] and all(word in texts[0] for word in thing["attributes"])
        assert any(phrase in texts[0].lower() for phrase in RELATIONS)


def test_captions_use_many_forms(world_folder):
    openings = {" ".join(sentence["tokens"][:2]) for image in karpathy(world_folder) for sentence in image["sentences"]}
    assert {"there is", "a picture", "you can", "this picture"} <= openings


@pytest.mark.parametrize(("phrase", "said"), [
    ("apple", "an apple"), ("small apple", "a small apple"), ("European bear", "a European bear"),
    ("UK post box", "a UK post box"), ("F-22 Raptor", "an F-22 Raptor"), ("unicycle", "a unicycle"),
    ("Indian blackbuck", "an Indian blackbuck"),
])
def test_articles_follow_the_sound(phrase, said):
    assert indefinite(phrase) == said


def test_colours_in_a_row_are_joined():
    assert noun_phrase(("small", "red", "white", "old"), "hat") == "small red and white old hat"
    assert noun_phrase((), "hat") == "hat"
    assert [listing(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]


def test_captions_are_a_function_of_the_generator(world_folder):
    from unimo_paddle.prepare.small_world.captions import write_captions
    from unimo_paddle.prepare.small_world.plan import Planner
    from unimo_paddle.prepare.small_world.shapes import draw_world

    scene = Planner(draw_world()[0], 5).scene("train", 0, 1)
    texts = [sentence["raw"] for sentence in karpathy(world_folder)[0]["sentences"]]
    assert [caption.text for caption in write_captions(scene, np.random.default_rng((5, 0, 0, 1)))] == texts
