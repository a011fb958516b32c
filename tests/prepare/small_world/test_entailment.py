import json
import re
from collections import Counter

import pytest

from tests.prepare.small_world.scene_checker import RELATIONS, Judge, holds

FILES = {"train": "train", "val": "dev", "test": "test", "composition": "composition"}


@pytest.fixture(scope="module")
def hypotheses(world_folder):
    lines = []
    for name in FILES.values():
        lines += (world_folder / f"snli_ve/snli_ve_{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def verdict(sentence, things):
    """True, False or None (undecidable) from the written boxes and attributes alone."""
    named = {thing["name"]: thing for thing in things}
    if match := re.fullmatch(r"There is (no|an?) (\S+) (\S+)\.", sentence):
        here = match[3] in named and match[2] in named[match[3]]["attributes"]
        return here != (match[1] == "no")
    if match := re.fullmatch(r"The (\S+) is (small|large|black|blue|brown|green|purple|red|white|yellow)\.", sentence):
        return match[2] in named[match[1]]["attributes"]
    if match := re.fullmatch(r"An? (\S+) (\S+) is (.+) an? (\S+) (\S+)\.", sentence):
        assert match[1] in named[match[2]]["attributes"] and match[4] in named[match[5]]["attributes"]
        return holds(named[match[2]], RELATIONS[match[3]], named[match[5]])
    return None


def test_labels_are_right_by_the_written_graph(world_folder, hypotheses):
    judge, labels = Judge(world_folder), {True: "entailment", False: "contradiction", None: "neutral"}
    for line in hypotheses:
        things = judge.objects[int(line["Flickr30K_ID"])]
        assert labels[verdict(line["sentence2"], things)] == line["gold_label"], line


def test_lines_have_the_fields_of_snli_ve(hypotheses):
    for line in hypotheses:
        assert line["captionID"] == f"{line['Flickr30K_ID']}.jpg#0"
        assert line["pairID"].startswith(line["captionID"]) and line["pairID"][-1] == line["gold_label"][0]
        assert line["annotator_labels"] == [line["gold_label"]] and line["sentence1"].endswith(".")
    assert len({line["pairID"] for line in hypotheses}) == len(hypotheses)


def test_labels_are_balanced_and_true_and_false_share_their_wording(hypotheses):
    counts = Counter(line["gold_label"] for line in hypotheses)
    assert min(counts.values()) == max(counts.values()) == len(hypotheses) // 3
    openings = {label: Counter(line["sentence2"].split()[0] for line in hypotheses if line["gold_label"] == label)
                for label in ("entailment", "contradiction")}
    for word, count in openings["entailment"].items():
        assert 0.5 < count / openings["contradiction"][word] < 2
