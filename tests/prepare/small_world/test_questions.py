import json
import re
from collections import Counter

import numpy as np
import pytest

from tests.prepare.small_world.scene_checker import RELATIONS, Judge, holds
from unimo_paddle.prepare.small_world.plan import SPLITS
from unimo_paddle.prepare.small_world.questions import write_questions
from unimo_paddle.prepare.small_world.scene import Attribute, Background, Cutout, Placed, Scene, World
from unimo_paddle.prepare.small_world.truth import Truth


@pytest.fixture(scope="module")
def asked(world_folder):
    """(question, annotation) of all splits."""
    pairs = []
    for split in SPLITS:
        questions = json.loads((world_folder / f"vqa/v2_OpenEnded_{split}_questions.json").read_text())
        annotations = json.loads((world_folder / f"vqa/v2_{split}_annotations.json").read_text())
        pairs += zip(questions["questions"], annotations["annotations"], strict=True)
    return pairs


def answer_by_hand(question, things):
    """Answer from the written boxes and attributes alone."""
    named = {thing["name"]: thing for thing in things}
    if match := re.fullmatch(r"Is there an? (?:(\S+) )?(\S+?)(?: in (?:the|this) (?:picture|image))?\?", question):
        thing = named.get(match[2])
        return "yes" if thing and (not match[1] or match[1] in thing["attributes"]) else "no"
    if match := re.fullmatch(r"Is the (\S+) (.+) the (\S+)\?", question):
        return "yes" if holds(named[match[1]], RELATIONS[match[2]], named[match[3]]) else "no"
    if match := re.fullmatch(r"Is the (\S+) small or large\?", question):
        return next(word for word in named[match[1]]["attributes"] if word in ("small", "large"))
    if match := re.fullmatch(r"Is the (\S+) (\S+)\?", question):
        return "yes" if match[2] in named[match[1]]["attributes"] else "no"
    if match := re.fullmatch(r"What color is the (\S+)\?", question):
        return next(word for word in named[match[1]]["attributes"] if word not in ("small", "large"))
    if match := re.fullmatch(r"What is (.+) the (\S+)\?", question):
        others = [thing for thing in things if thing["name"] != match[2]]
        found = [thing["name"] for thing in others if holds(thing, RELATIONS[match[1]], named[match[2]])]
        return found[0] if len(found) == 1 else None
    assert question.startswith("How many things"), question
    return str(len(things))


def test_answers_are_right_by_the_written_graph(world_folder, asked):
    judge = Judge(world_folder)
    for question, annotation in asked:
        assert answer_by_hand(question["question"], judge.objects[question["image_id"]]) == \
            annotation["multiple_choice_answer"], question


def test_annotations_have_the_form_of_vqa_v2(asked):
    for question, annotation in asked:
        assert question["question_id"] == annotation["question_id"] and question["image_id"] == annotation["image_id"]
        assert [answer["answer_id"] for answer in annotation["answers"]] == list(range(1, 11))
        votes = Counter(answer["answer"] for answer in annotation["answers"])
        assert votes.most_common(1)[0][0] == annotation["multiple_choice_answer"]
        answer = annotation["multiple_choice_answer"]
        kind = "yes/no" if answer in ("yes", "no") else "number" if answer.isdigit() else "other"
        assert annotation["answer_type"] == kind
        assert question["question"].lower().startswith(annotation["question_type"])
    assert len({question["question_id"] for question, _ in asked}) == len(asked)


def test_yes_and_no_are_balanced_and_all_types_are_asked(asked):
    answers = Counter(annotation["multiple_choice_answer"] for _, annotation in asked)
    assert 0.75 < answers["yes"] / answers["no"] < 1.33
    types = {annotation["question_type"] for _, annotation in asked}
    assert types == {"is there a", "is the", "what color is the", "what is", "how many"}  # shapes have no kinds


def thing(name, box, *words, kinds=(), group="g"):
    attributes = tuple(Attribute(word, kind) for word, kind in words)
    return Placed(Cutout(name, name, attributes, kinds, group, 10, 10), box, False)


def questions_about(*objects, others=()):
    world = World("stamps", (*(o.cutout for o in objects), *(o.cutout for o in others)), ())
    scene = Scene(1, "train", 0, Background("b", "rocks"), (0.0, 0.0, 1.0), False, 0.3, objects)
    rng = np.random.default_rng(0)
    return {question.text: question for _ in range(60) for question in write_questions(scene, Truth(world), rng)}


FAR = thing("hammer", (0, 0, 9, 9), group="tools")


def test_kinds_are_counted_only_where_nothing_is_doubtful():
    duck = thing("duck", (0, 100, 70, 170), kinds=("bird", "animal"), group="birds")
    owl = thing("owl", (100, 100, 170, 170), kinds=("bird", "animal"), group="birds")
    toy = thing("rubber duck", (200, 100, 270, 170), group="toys")
    cow = thing("cow", (200, 100, 270, 170), kinds=("animal",), group="bovines")
    clear = questions_about(duck, owl, cow, others=(FAR,))
    assert clear["How many birds are there?"].answer == "2" and clear["How many animals are there?"].answer == "3"
    doubtful = questions_about(duck, owl, toy, others=(FAR,))
    assert not any("birds" in text or "animals" in text for text in doubtful)


def test_kind_of_and_its_second_answer():
    guitar = thing("guitar", (0, 100, 70, 170), ("electric", "state"))
    rose = thing("rose", (100, 100, 170, 170), ("red", "colour"), ("white", "colour"))
    asked = questions_about(guitar, rose, others=(FAR,))
    question = asked["What kind of guitar is it?"]
    assert (question.answer, question.alternative) == ("electric", "electric guitar")
    assert "What color is the rose?" not in asked   # a person named two


def test_what_is_not_asked_when_a_third_thing_is_doubtful():
    left, middle = thing("key", (0, 100, 70, 170)), thing("cup", (100, 100, 170, 170))
    diagonal = thing("pen", (30, 30, 99, 99))
    assert "What is above the cup?" not in questions_about(left, middle, diagonal, others=(FAR,))
    assert questions_about(left, middle, others=(FAR,))["What is left of the cup?"].answer == "key"
