"""What may be true of an image: its captions, its regions, its boxes."""

from pathlib import Path

import numpy as np
import pytest

from tests.prepare.rewriting.hand_graphs import graph
from unimo_paddle.prepare.rewriting.facts import Seen, image_facts, is_false, read_seen
from unimo_paddle.regions import Regions, RegionStore, RegionStoreWriter, StoreMeta

CLASSES = ("__background__", "eagle,bird", "dogs", "cat", "sheep", "fire truck")
BOXES = [[0, 0, 10, 10], [1, 1, 10, 10], [20, 0, 30, 10], [0, 20, 10, 30]]


def store(folder: Path, probs: list[list[float]], boxes: list[list[int]] = BOXES) -> RegionStore:
    meta = StoreMeta("test", 2, CLASSES, class_top_k=len(CLASSES), detector="0" * 64)
    regions = Regions(np.ones((len(probs), 2), np.float32), np.array(boxes[:len(probs)], np.float32),
                      np.array(probs, np.float32), 40, 40)
    with RegionStoreWriter(folder, meta, images_per_shard=10) as writer:
        writer.append("i", regions)
    return RegionStore(folder)


def test_sure_and_doubtful_classes_are_seen_and_single_things_have_boxes(tmp_path: Path) -> None:
    seen = read_seen(store(tmp_path, [
        [0.00, 0.90, 0.00, 0.10, 0.00, 0.00],    # an eagle, hardly a cat
        [0.06, 0.60, 0.30, 0.00, 0.04, 0.00],    # the same eagle, perhaps a dog; no sheep
        [0.20, 0.00, 0.40, 0.00, 0.00, 0.40],    # a dog, far from the other; a fire truck
        [0.97, 0.00, 0.00, 0.00, 0.03, 0.00]]), "i")
    assert seen.names == {"eagle", "bird", "dog", "cat", "fire truck"}
    assert seen.boxes == {"eagle": (0, 0, 10, 10), "bird": (0, 0, 10, 10), "fire truck": (20, 0, 30, 10)}


def test_images_without_regions(tmp_path: Path) -> None:
    empty = store(tmp_path / "a", [[1.0, 0, 0, 0, 0, 0]], [[0, 0, 1, 1]])
    assert read_seen(empty, "i") == read_seen(empty, "other") == Seen()


def test_facts_gather_all_captions() -> None:
    captions = ["A red dog on two boxes.", "an Owl"]
    graphs = [graph(captions[0], [("dog", "dog", "singular", "red"), ("boxes", "box", "plural")], [(0, "on", "on", 1)]),
              graph(captions[1], [("Owl", "owl", "singular")])]
    facts = image_facts(captions, graphs, Seen(frozenset({"cat"}), {"dog": (0, 0, 1, 1), "box": (0, 0, 1, 1)}),
                        ["A dog!"])
    assert facts.names == {"dog", "box", "owl", "cat"}
    assert facts.attributes == {("dog", "red")} and facts.relations == {("dog", "on", "box")}
    assert facts.captions == {"a red dog on two boxes", "an owl", "a dog"}
    assert dict(facts.boxes) == {"dog": (0, 0, 1, 1)}   # several boxes: which one is meant?


@pytest.mark.parametrize(("subject", "other", "false"), [
    ((0, 0, 10, 10), (20, 0, 30, 10), {"right of", "above", "below"}),
    ((20, 0, 30, 10), (0, 0, 10, 10), {"left of", "above", "below"}),
    ((0, 0, 10, 10), (0, 20, 10, 30), {"below", "left of", "right of"}),
    ((0, 0, 10, 10), (20, 20, 30, 30), {"right of", "below"}),            # both may be said
    ((0, 0, 10, 10), (20, 6, 30, 16), {"right of", "below"}),             # a little higher: doubtful
    ((0, 0, 10, 10), (20, 4, 30, 14), {"right of", "below", "above"}),    # beside it
    ((0, 0, 10, 10), (0, 0, 10, 10), {"left of", "right of", "above", "below"}),
])
def test_boxes_tell_what_is_false(subject: tuple[int, ...], other: tuple[int, ...], false: set[str]) -> None:
    ways = ("left of", "right of", "above", "below")
    assert {way for way in ways if is_false(way, subject, other)} == false  # type: ignore[arg-type]
