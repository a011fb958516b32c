"""The rules of the constructed tasks, on scenes written by hand."""

import numpy as np
import pytest

from unimo_paddle.prepare.tasks.constructed import asking, cola, mnli, stsb
from unimo_paddle.prepare.tasks.constructed.dialogue import Dialogue
from unimo_paddle.prepare.tasks.constructed.scenes import Caption, Graph, Scenes, Thing
from unimo_paddle.prepare.tasks.constructed.stsb import Description
from unimo_paddle.prepare.tasks.constructed.telling import Tie, implied, tell

CAT, DOG = Thing("cat", ("small", "black"), "animal"), Thing("dog", (), "animal")
BUS = Thing("bus", ("red",), "vehicle")
HORN = Graph(
    2, "val", (Thing("horn", (), "musical instrument"), Thing("rose", ("large",), "flower")),
    ((0, "above", 1), (1, "below", 0)), "trees", (Caption("A horn above a rose.", ("horn", "rose")),),
)  # fmt: skip
STREET = Graph(
    1, "train", (CAT, DOG, BUS),
    ((0, "left of", 1), (1, "right of", 0), (1, "left of", 2), (2, "right of", 1)),
    "a cliff", (Caption("A small black cat is left of a dog.", ("cat", "dog")),),
)  # fmt: skip
KITE = Graph(3, "train", (Thing("kite", (), "thing"), DOG), ((0, "above", 1), (1, "below", 0)), "clouds", ())
SCENES = Scenes("shapes", (STREET, HORN, KITE))


def test_what_follows_from_what_was_told() -> None:
    known = implied([Tie(0, "left of", 1, "left of"), Tie(2, "right of", 1, "right of"), Tie(3, "above", 1, "over")])
    assert (0, "left of", 2) in known and (2, "right of", 0) in known
    assert (1, "below", 3) in known and not {(0, "below", 3), (0, "above", 2), (2, "left of", 0)} & known


def holds(premise: str, hypothesis: str) -> str | None:
    """Judge a hypothesis by the words of the premise alone, with rules of its own; None: not of a kind judged here."""
    words = hypothesis.lower().rstrip(".").split()
    closed = any(mark in premise.lower() for mark in ("exactly", "nothing else", "are all that"))
    if words[:2] == ["there", "is"]:
        name, negated = words[3], words[2] == "no"
        there = f" {name} " in f" {premise.lower().replace(',', ' ').replace('.', ' ')} "
        if not there and not closed:
            return "neutral"
        return "entailment" if there != negated else "contradiction"
    if words[2] == "is" and words[-1] in ("small", "large"):
        names = (words[1], f"black {words[1]}")
        said = [size for size in ("small", "large") if any(f"{size} {name}" in premise for name in names)]
        return "neutral" if not said else "entailment" if said == [words[-1]] else "contradiction"
    return None


def test_labels_agree_with_other_rules() -> None:
    judged = {"entailment": 0, "neutral": 0, "contradiction": 0}
    for seed in range(40):
        for premise, hypothesis, label in mnli.write_pairs(SCENES, STREET, 9, np.random.default_rng(seed)):
            expected = holds(premise, hypothesis)
            assert expected in (None, label), (premise, hypothesis, label)
            judged[label] += expected is not None
    assert min(judged.values()) > 20


def test_relations_that_nobody_told_are_open() -> None:
    forms = {(hypothesis, label) for seed in range(60)
             for _, hypothesis, label in mnli.write_pairs(SCENES, STREET, 6, np.random.default_rng(seed))}  # fmt: skip
    assert ("The cat is above the bus.", "neutral") in forms
    assert ("The cat is left of the bus.", "entailment") in forms      # by way of the dog
    assert ("The bus is left of the cat.", "contradiction") in forms
    assert not {("The cat is left of the dog.", "contradiction"), ("The dog is left of the cat.", "entailment")} & forms


def described(first: Thing, relation: str, second: Thing, background: str = "") -> Description:
    return Description(first, relation, second, background)


@pytest.mark.parametrize(("other", "score"), [
    (described(DOG, "right of", CAT), 5.0),                 # the same from the other end
    (described(DOG, "left of", CAT), 2.75),                 # 4 of 7 are shared: two things and two words
    (described(CAT, "left of", DOG, "trees"), 4.75),        # 14 of 15
    (described(Thing("cat", ("black",), "animal"), "left of", DOG), 4.5),   # 12 of 13, 4.6
    (described(CAT, "left of", BUS), 2.0),                  # 6 of 15: cat, small, black
    (described(BUS, "left of", Thing("rose", (), "flower")), 0.0),
])  # fmt: skip
def test_likeness_is_the_overlap_of_the_graphs(other: Description, score: float) -> None:
    one = described(CAT, "left of", DOG)
    assert stsb.likeness(one, other) == stsb.likeness(other, one) == score


def faults(text: str, *names: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for seed in range(60):
        for kind, faulty in cola._faulty(Caption(text, names), np.random.default_rng(seed)).items():
            found.setdefault(kind, set()).add(faulty)
    return found


def test_every_fault_is_one() -> None:
    assert faults("A cat is above the dog.", "cat", "dog") == {
        "order": {"A cat is the above dog.", "A cat is above dog the."},
        "agreement": {"A cat are above the dog."},
        "article": {"A cat is above dog."},
        "form": {"An cat is above the dog."},
        "double": {"A a cat is above the dog.", "A cat is is above the dog.", "A cat is above the the dog."},
    }


def test_what_may_be_heard_is_no_fault() -> None:
    assert "agreement" not in faults("There is a cat and a dog.", "cat", "dog")      # "there are a cat and a dog"
    assert "agreement" not in faults("A pair of pliers is left of it.", "pair of pliers")
    assert "article" not in faults("A photo of a lettuce.", "lettuce")               # lettuce is a stuff
    assert "article" not in faults("One of the two things.", "cat", "dog")


def test_a_dialogue_asks_nothing_twice_and_answers_truly() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        told = [tell(STREET, rng, "the first picture"), tell(HORN, rng, "the second picture")]
        turns = Dialogue(SCENES, told, rng).run()
        assert 4 <= len(turns) <= 8 and len({turn.key for turn in turns}) == len(turns)
        for turn in turns:
            if turn.question == "How many things are in the first picture?":
                assert turn.answers[0] == "three"
            if turn.question == "What is above the rose?":
                assert turn.answers[0] == "the horn"
            if turn.question.startswith("Is the cat left of the dog"):
                assert turn.answers[0] == "yes"


def test_questions_to_spans() -> None:
    told = tell(HORN, np.random.default_rng(1))
    asked = {one.answer.lower(): one.question for one in asking.write_questions(told, 9, np.random.default_rng(0))}
    first, second = (told.graph.things[k].name for k in (told.ties[0].first, told.ties[0].second))
    assert asked[f"the {first}"] == f"What is {told.ties[0].words} the {second}?"
    assert asked[f"{told.ties[0].words} the {second}"] == f"Where is the {first}?"
    assert "trees" in asked


def test_an_absent_thing_is_of_no_kind_and_no_word_of_the_scene() -> None:
    drawn = {SCENES.absent(STREET.things, np.random.default_rng(seed)) for seed in range(20)}
    assert drawn == {"horn", "kite", "rose"}
    assert {SCENES.absent(STREET.things, np.random.default_rng(k), "a red rose") for k in range(20)} == {"horn", "kite"}
