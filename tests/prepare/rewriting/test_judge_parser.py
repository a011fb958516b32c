import json
from pathlib import Path

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.judge_parser import KINDS, Tally, Truth, judge, read_truths, score
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, SceneGraph, Span, Thing
from unimo_paddle.prepare.small_world.captions import write_captions
from unimo_paddle.prepare.small_world.formats import Told, write_caption_graphs
from unimo_paddle.prepare.small_world.plan import Planner
from unimo_paddle.prepare.small_world.shapes import draw_world

CAPTION = "A red fire hydrant is over a cat, with a small log in the background."
TRUTH = Truth(CAPTION, ("fire hydrant", "cat"), ((0, "red"), (1, "black")), ((0, "above", 1),), "a small log")


def thing(word, name):
    start = CAPTION.index(word)
    return Thing(Span(start, start + len(word)), name, "singular", Span(start, start + len(word)))


def test_a_tally_by_hand():
    tally = Tally(right=6, wrong=2, missed=4)
    assert (tally.precision, tally.recall, round(tally.f1, 6)) == (0.75, 0.6, 0.666667)
    assert (Tally(0, 0, 0).precision, Tally(0, 0, 0).recall, Tally(0, 1, 1).f1) == (1.0, 1.0, 0.0)


def test_a_score_by_hand():
    things = (thing("hydrant", "hydrant"), thing("cat", "cat"), thing("log", "log"), thing("red", "red"))
    graph = SceneGraph(things, (Attribute(Span(2, 5), "red", 0), Attribute(Span(2, 5), "fire", 0),
                                Attribute(Span(2, 5), "small", 2), Attribute(Span(2, 5), "wet", 1)),
                       (Relation((Span(22, 26),), "over", 0, 1), Relation((Span(22, 26),), "over", 1, 0),
                        Relation((Span(22, 26),), "near", 1, 2)))
    result = score([TRUTH], lambda captions: [graph])
    assert result.tallies == {
        "objects": Tally(2, 1, 0),        # "red" is none; the log stands in the background and does not count
        "object names": Tally(1, 2, 1),   # "hydrant" is not the whole name
        "attributes": Tally(1, 1, 1),     # "wet" is false, "black" missed; "fire" is a part of the name
        "relations": Tally(1, 1, 0),      # "over" is "above"; the other direction is false
    }
    assert result.faults["relations"] == (("false above", 1),)
    assert dict(result.faults["object names"]) == {"missed fire hydrant": 1, "false hydrant": 1, "false red": 1}
    lines = result.table().splitlines()
    assert lines[0].startswith("1 captions, ") and "objects            0.667     1.000     0.800           2" in lines


def test_hand_annotated_captions_in_the_style_of_coco():
    # The last 20 were written after the rules, and gave one more ("in a suit and tie").
    result = judge(Path(__file__).with_name("coco_like_captions.jsonl"))
    assert result.captions == 62
    assert all(result.tallies[kind].f1 >= floor for kind, floor in zip(KINDS, (0.97, 0.95, 0.94, 0.86), strict=True))


def test_the_small_world(tmp_path):
    planner = Planner(draw_world()[0], 7)
    scenes = [planner.scene("train", index, index + 1) for index in range(40)]
    told = [Told(scene, tuple(write_captions(scene, np.random.default_rng(scene.index))), (), ()) for scene in scenes]
    write_caption_graphs(tmp_path / "graphs.jsonl", told)
    result = judge(tmp_path / "graphs.jsonl")
    assert result.captions == 200 and all(result.tallies[kind].f1 >= 0.95 for kind in KINDS)
    assert judge(tmp_path / "graphs.jsonl", limit=7).captions == 7


GOOD = {"caption": "a dog", "objects": ["dog"], "attributes": [], "relations": []}


@pytest.mark.parametrize(("change", "fault"), [
    ({"objects": None}, "TypeError"), ({"attributes": [[1, "red"]]}, "no object 1 among 1"),
    ({"relations": [[0, "on"]]}, "not enough values"), ({"relations": [[0, "on", -1]]}, "no object -1"),
])
def test_a_line_that_is_no_truth_is_named(tmp_path, change, fault):
    path = tmp_path / "graphs.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, **change}) + "\n")
    with pytest.raises(UserError, match=rf"graphs.jsonl:2: .*{fault}.*prepare.py scenes"):
        read_truths(path)


@pytest.mark.parametrize(("text", "fault"), [("", "is empty"), ("{", "jsonl:1: "), ('{"objects": []}', "KeyError")])
def test_a_file_without_truths(tmp_path, text, fault):
    (tmp_path / "graphs.jsonl").write_text(text)
    with pytest.raises(UserError, match=fault):
        read_truths(tmp_path / "graphs.jsonl")


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"none\.jsonl"):
        read_truths(tmp_path / "none.jsonl")
