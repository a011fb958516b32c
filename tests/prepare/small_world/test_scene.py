import itertools

import pytest

from tests.prepare.small_world.scene_checker import holds
from unimo_paddle.prepare.small_world.scene import INVERSE, Attribute, Background, Cutout, Placed, Scene, relate

DUCK = Cutout("duck", "rubber duck", (Attribute("red", "colour"),), (), "toys", 100, 50)


@pytest.mark.parametrize(("first", "second", "relation"), [
    ((0, 0, 10, 10), (20, 0, 30, 10), "left of"),
    ((20, 0, 30, 10), (0, 0, 10, 10), "right of"),
    ((0, 0, 10, 10), (0, 20, 10, 30), "above"),
    ((0, 20, 10, 30), (0, 0, 10, 10), "below"),
    ((0, 0, 10, 10), (20, 20, 30, 30), None),      # exactly between right and below
    ((0, 0, 10, 10), (0, 0, 10, 10), None),
    ((0, 0, 10, 10), (9, 0, 19, 10), "left of"),   # a tenth of the width is shared
    ((0, 0, 10, 10), (8, 0, 18, 10), None),        # a fifth is
])
def test_relations_are_named_only_where_nobody_hesitates(first, second, relation):
    assert relate(first, second) == relation


def test_relations_agree_with_their_definition_in_words():
    boxes = [(x, y, x + w, y + h) for x, y, w, h in itertools.product((0, 30, 61), (0, 25, 70), (8, 40), (8, 33))]
    for first, second in itertools.product(boxes, boxes):
        relation = relate(first, second)
        assert relate(second, first) == (INVERSE[relation] if relation else None)
        if relation:
            one, two = ({"x": b[0], "y": b[1], "w": b[2] - b[0], "h": b[3] - b[1]} for b in (first, second))
            assert holds(one, relation.split()[0], two)


@pytest.mark.parametrize(("side", "size"), [(64, "small"), (65, ""), (111, ""), (112, "large")])
def test_size_is_the_longest_side(side, size):
    placed = Placed(DUCK, (5, 5, 5 + side, 45), False)
    assert placed.size == size
    assert placed.words == ((size, "red") if size else ("red",))


def test_scene_lists_both_directions_and_its_file():
    objects = (Placed(DUCK, (0, 100, 50, 150), False), Placed(DUCK, (100, 100, 150, 150), True))
    scene = Scene(7, "val", 0, Background("b", "rocks"), (0.0, 0.0, 1.0), False, 0.3, objects)
    assert list(scene.relations()) == [(0, "left of", 1), (1, "right of", 0)]
    assert scene.file_name == "val/000000000007.jpg"
    assert DUCK.head == "duck"
