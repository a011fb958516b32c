"""Regions drawn: what is written, and that every label is on the picture, whatever its size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from unimo_paddle.errors import UserError
from unimo_paddle.regions import Regions, StoreMeta
from unimo_paddle.vision import show
from unimo_paddle.vision.show import draw_regions, label_of, require_drawable, show_regions

META = StoreMeta("f", 1, ("__background__", "cup", "dog"), 3, "d", "", ("__none__", "red", "striped black and white"))
RED = (0xE6, 0x19, 0x4B)


def regions(size: tuple[int, int], attributes: bool = True) -> Regions:
    """A confident cup in the left half, a dog below the threshold in the right half."""
    width, height = size
    boxes = np.float32([[0.1, 0.3, 0.4, 0.9], [0.6, 0.6, 0.9, 0.9]]) * np.float32([width, height] * 2)
    told = np.float32([[0.2, 0.7, 0.1], [0.95, 0.03, 0.02]]) if attributes else None
    probs = np.float32([[0.1, 0.9, 0], [0.85, 0.05, 0.1]])
    return Regions(np.zeros((2, 1), np.float32), boxes, probs, width, height, told)


def test_a_label_says_attribute_class_and_score() -> None:
    found = regions((100, 100))
    assert label_of(found, 0, META.classes, META.attributes) == "red cup 0.90"
    assert label_of(found, 1, META.classes, META.attributes) == "dog 0.10"  # no attribute is likely
    assert label_of(regions((100, 100), False), 0, META.classes, META.attributes) == "cup 0.90"


def test_the_confident_region_is_drawn_and_the_other_is_not() -> None:
    plain = Image.new("RGB", (400, 300), "#c8c8c8")
    drawn = np.asarray(draw_regions(plain, regions((400, 300)), META.classes))
    assert drawn.shape == (300, 400, 3) and tuple(drawn[200, 40]) == RED and tuple(drawn[269, 100]) == RED
    assert (drawn[:, 220:] == 0xC8).all()
    both = np.asarray(draw_regions(plain, regions((400, 300)), META.classes, threshold=0.05))
    assert (both[:, 220:] != 0xC8).any()
    one = np.asarray(draw_regions(plain, regions((400, 300)), META.classes, threshold=0.05, most=1))
    np.testing.assert_array_equal(one, drawn)


@pytest.mark.parametrize(("numbers", "message"), [
    ((7.0, 20), "--threshold 7.0 is no probability"), ((float("nan"), 20), "--threshold nan is no"),
    ((0.2, -1), "--most -1 leaves nothing"), ((-1.0, 0), "--threshold -1.0 .*; --most 0 "),
])  # fmt: skip
def test_numbers_that_draw_nothing(numbers: tuple[float, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_drawable(*numbers)
    require_drawable(0.0, 1)


def test_boxes_are_scaled_from_the_stored_size() -> None:
    drawn = draw_regions(Image.new("RGB", (200, 150)), regions((4000, 3000)), META.classes)
    assert drawn.getpixel((20, 100)) == RED


@pytest.mark.parametrize(("size", "shown"), [
    ((32, 32), (960, 960)), ((6000, 4000), (1600, 1067)), ((6000, 32), (1600, 320)), ((32, 6000), (320, 1600)),
    ((384, 256), (960, 640)), ((1200, 900), (1200, 900)),
])  # fmt: skip
def test_every_size_is_shown_large_enough(tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]) -> None:
    Image.new("RGB", size, "#404040").save(tmp_path / "a.png")
    show_regions(tmp_path / "a.png", regions(size), META, tmp_path / "boxes.png", 0.2, 20)
    with Image.open(tmp_path / "boxes.png") as drawn:
        assert (drawn.format, drawn.size) == ("PNG", shown)
        assert (np.asarray(drawn) == np.array(RED)).all(2).sum() > 500


@pytest.mark.parametrize("size", [(384, 256), (1600, 320), (320, 1600)])
def test_labels_stay_on_the_picture_and_off_each_other(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    places: list[show.Box] = []
    place = show._place
    monkeypatch.setattr(show, "_place", lambda *args: places.append(place(*args)) or places[-1])
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 1, (6, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1) * np.array(size * 2)
    probs, told = np.tile(np.float32([0.1, 0.8, 0.1]), (6, 1)), np.tile(np.float32([0.1, 0.1, 0.8]), (6, 1))
    found = Regions(np.zeros((6, 1), np.float32), boxes.astype(np.float32), probs, *size, told)
    draw_regions(Image.new("RGB", size), found, META.classes, attributes=META.attributes)
    for x1, y1, x2, y2 in places:
        assert x1 >= 0 and y1 >= 0 and x2 <= size[0] + 0.5 and y2 <= size[1] + 0.5, (x1, y1, x2, y2)
    alone = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in places)
    assert show.shared_area(np.float32(places), np.float32(places)).sum() == pytest.approx(alone, rel=1e-3)


def test_letters_shrink_until_the_longest_label_fits() -> None:
    pen = ImageDraw.Draw(Image.new("RGB", (200, 900)))
    label = show.Label("striped black and white hydrogen balloon 0.93", (0, 0, 9, 9), "#000000")
    size = show._letter_size(pen, (200, 900), [label])
    assert size < 14 and pen.textlength(label.text, font=ImageFont.load_default(size)) <= 200
