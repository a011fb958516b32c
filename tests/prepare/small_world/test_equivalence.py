import json

from tests.prepare.small_world.scene_checker import Judge
from tests.prepare.small_world.test_captions import backgrounds, karpathy
from unimo_paddle.prepare.small_world.language import Said, Statement
from unimo_paddle.prepare.small_world.scene import Attribute, Background, Cutout, Placed, Scene
from unimo_paddle.prepare.small_world.truth import satisfies


def test_a_caption_is_satisfied_exactly_where_the_independent_reader_finds_no_fault(world_folder):
    """The slow oracle: judge every caption against every image of its split."""
    judge, grounds = Judge(world_folder), backgrounds(world_folder)
    for split in ("val", "test", "composition"):
        answers = json.loads((world_folder / f"retrieval/{split}.json").read_text())["caption_images"]
        images = [image for image in karpathy(world_folder) if image["split"] == split]
        assert len(answers) == 5 * len(images)
        for image in images:
            for sentence in image["sentences"]:
                fitting = [other["cocoid"] for other in images
                           if not judge.faults(sentence["raw"], other["cocoid"], grounds[other["cocoid"]])]
                assert answers[str(sentence["sentid"])] == fitting
                assert image["cocoid"] in fitting


def apple_and_key(apple_words, flipped):
    apple = Cutout("a.png", "apple", tuple(Attribute(word, "colour") for word in apple_words), (), "food", 10, 10)
    key = Cutout("k.png", "key", (), (), "tools", 10, 10)
    boxes = [(0, 100, 50, 150), (100, 100, 180, 180)]
    objects = tuple(Placed(c, b, False) for c, b in zip((apple, key), boxes[::-1] if flipped else boxes, strict=True))
    return Scene(1, "test", 0, Background("r", "rocks"), (0.0, 0.0, 1.0), False, 0.3, objects)


def test_satisfaction_compares_what_is_said_and_nothing_else():
    red_left = Statement("", (Said("apple", ("red",)), Said("key", ())), ((0, "left of", 1),))
    assert satisfies(apple_and_key(["red"], False), red_left)
    assert satisfies(apple_and_key(["red", "white"], False), red_left)
    assert not satisfies(apple_and_key(["green"], False), red_left)
    assert not satisfies(apple_and_key(["red"], True), red_left)
    scene = apple_and_key([], False)
    assert satisfies(scene, Statement("", (Said("apple", ("small",)),), background="rocks", count=2))
    assert not satisfies(scene, Statement("", (Said("key", ("small",)),)))       # its longest side is 80: neither
    assert not satisfies(scene, Statement("", (Said("apple", ()),), background="trees"))
    assert not satisfies(scene, Statement("", (Said("apple", ()),), count=3))
    assert not satisfies(scene, Statement("", (Said("pear", ()),)))
