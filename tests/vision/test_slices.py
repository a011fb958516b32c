"""How an extraction is cut into slices: the same whatever was done before."""

from pathlib import Path

import pytest

from unimo_paddle.vision.slices import Slice, cut, slice_size

IMAGES = [(str(i), Path(f"{i}.jpg")) for i in range(11)]


def ids(slices: list[Slice]) -> dict[int, str]:
    return {part.number: " ".join(i for i, _ in part.images) for part in slices}


@pytest.mark.parametrize(("done", "taken", "wanted"), [
    ("", [], {0: "0 1 2 3", 1: "4 5 6 7", 2: "8 9 10"}),
    ("4 5 6 7", [1], {0: "0 1 2 3", 2: "8 9 10"}),               # killed when only the second was entered
    ("0 1 3", [0], {1: "4 5 6 7", 2: "8 9 10", 3: "2"}),         # 2 could not be read
    ("0 2 3 4 6 7 8", [0, 1, 2], {3: "1 5 9 10"}),                # 9 and 10 were added to the list
    ("0 1 2 3 4 5 6 7 8 9 10", [0, 1, 2], {}),
    ("a b", [0, 5], {1: "4 5 6 7", 2: "8 9 10", 6: "0 1 2 3"}),  # the store has other images, too
    ("0 1 4", [7], {0: "2 3", 1: "5 6 7", 2: "8 9 10"}),
])  # fmt: skip
def test_what_is_left_to_do(done: str, taken: list[int], wanted: dict[int, str]) -> None:
    assert ids(cut(IMAGES, 4, set(done.split()), taken)) == wanted


def test_no_images_no_slices() -> None:
    assert cut([], 4, (), ()) == []


def test_a_slice_names_its_images() -> None:
    assert str(cut(IMAGES, 4, (), ())[1]) == "images '4' to '7'"


@pytest.mark.parametrize(("images", "size"), [(1, 32), (1024, 32), (3200, 100), (8000, 250), (10**6, 250)])
def test_size(images: int, size: int) -> None:
    assert slice_size(images) == size
