import itertools

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.small_world.plan import SPLITS, Planner
from unimo_paddle.prepare.small_world.scene import HEIGHT, WIDTH, World
from unimo_paddle.prepare.small_world.shapes import draw_world


@pytest.fixture(scope="module")
def planner():
    return Planner(draw_world()[0], 3)


@pytest.fixture(scope="module")
def scenes(planner):
    return {split: [planner.scene(split, index, index + 1) for index in range(80)] for split in SPLITS}


def test_boxes_lie_inside_and_hardly_overlap(scenes):
    for scene in itertools.chain(*scenes.values()):
        assert 2 <= len(scene.objects) <= 4
        for thing in scene.objects:
            x1, y1, x2, y2 = thing.box
            assert 0 <= x1 < x2 <= WIDTH and 0 <= y1 < y2 <= HEIGHT
            assert (y1 + y2) / 2 >= HEIGHT / 5 and max(x2 - x1, y2 - y1) >= 40
            assert abs((x2 - x1) / (y2 - y1) - thing.cutout.width / thing.cutout.height) < 0.1
        for one, two in itertools.combinations(scene.objects, 2):
            shared = [min(one.box[k + 2], two.box[k + 2]) - max(one.box[k], two.box[k]) for k in (0, 1)]
            assert min(shared) <= 0


def test_no_two_things_share_a_name(scenes):
    for scene in itertools.chain(*scenes.values()):
        heads = [thing.cutout.name.split()[-1] for thing in scene.objects]
        assert len(set(heads)) == len(heads)


def test_no_split_repeats_the_objects_of_another(scenes):
    sets = {split: {frozenset(thing.cutout.name for thing in scene.objects) for scene in made}
            for split, made in scenes.items()}
    for one, two in itertools.combinations(SPLITS, 2):
        assert not sets[one] & sets[two]


def test_held_out_combinations_show_in_composition_only(planner, scenes):
    traits, triples = planner.held_out.traits, planner.held_out.triples
    assert len(traits) >= 10 and len(triples) >= 3
    for split in SPLITS:
        for scene in scenes[split]:
            names = [thing.cutout.name for thing in scene.objects]
            shown = {(word, name) for thing, name in zip(scene.objects, names, strict=True) for word in thing.words}
            related = {(names[i], relation, names[j]) for i, relation, j in scene.relations()}
            assert bool(shown & traits or related & triples) == (split == "composition")


def test_parts_of_what_is_held_out_are_seen_in_training(planner):
    scenes = [planner.scene("train", index, index + 1) for index in range(400)]
    words = {word for scene in scenes for thing in scene.objects for word in thing.words}
    names = {thing.cutout.name for scene in scenes for thing in scene.objects}
    assert {word for word, _ in planner.held_out.traits} <= words
    assert {name for _, name in planner.held_out.traits} <= names
    pairs = {frozenset((a.cutout.name, b.cutout.name)) for scene in scenes
             for a, b in itertools.combinations(scene.objects, 2)}
    assert any(frozenset((first, second)) in pairs for first, _, second in planner.held_out.triples)


def test_above_and_below_are_not_rare(scenes):
    upright = [relation in ("above", "below") for scene in scenes["train"] for _, relation, _ in scene.relations()]
    assert 0.25 <= sum(upright) / len(upright) <= 0.65


def test_a_scene_depends_on_seed_split_and_index_only(planner):
    again = Planner(draw_world()[0], 3)
    assert again.scene("test", 11, 1) == planner.scene("test", 11, 1)
    assert again.scene("test", 11, 1) != planner.scene("test", 12, 1)
    assert Planner(draw_world()[0], 4).scene("test", 11, 1) != planner.scene("test", 11, 1)


def test_a_world_that_is_too_small_says_so(monkeypatch):
    monkeypatch.setattr("unimo_paddle.prepare.small_world.plan._ATTEMPTS", 50)
    world = draw_world()[0]
    tiny = World("shapes", world.cutouts[:3], world.backgrounds)
    with pytest.raises(UserError, match="3 cut-outs of 1 classes are too few"):
        Planner(tiny, 0).scene("train", 0, 1)
    with pytest.raises(UserError, match="nothing can be held out of 1 classes"):
        Planner(tiny, 0).scene("composition", 0, 1)
