"""Counted FLOPs of tasks against every product that a real forward makes."""

import math

import paddle
import pytest

from tests.model.test_flops import count_products
from tests.tasks.task_parts import (
    SHAPES_OF,
    make_answer,
    make_class,
    make_generate,
    make_match,
    make_model,
    make_number,
    make_task,
)
from unimo_paddle.model.flops import Cost
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings

PARTS = {
    "class": make_class(),
    "words alone": make_class(with_images=False),
    "number": make_number(),
    "answer": make_answer(),
    "generate": make_generate(),
    "dialogue": make_generate(dialogue=True),
    "match": make_match(),
}


def work(name, **settings):
    head, shape = SHAPES_OF[name]
    model = make_model(shape)
    return Finetuning(model, make_task(head), lambda step: None, FinetuningSettings(**settings))


@pytest.mark.parametrize("name", PARTS)
def test_three_times_every_product_of_the_forward(monkeypatch, name):
    made = work(name)
    (part,) = made.objective.parts(PARTS[name])
    counted, products = count_products(monkeypatch, lambda: made.losses(part))
    assert products >= 2 * 8
    assert made.cost(part).flops == 3 * counted


def test_rows_and_tokens():
    sequences = PARTS["class"].sequences
    cost = work("class").cost(PARTS["class"])
    assert (cost.tokens, cost.rows) == (int((~sequences.is_pad).sum()), math.prod(sequences.is_pad.shape))
    made = work("match")
    (part,) = made.objective.parts(PARTS["match"])
    assert made.cost(part).tokens == sum(int((~one.is_pad).sum()) for one in part.pairs.parts)
    assert made.passes(part) == len(part.pairs.parts)


@pytest.mark.parametrize("settings, branches, moved", [({}, 3, 2), ({"on": "text"}, 2, 1), ({"clean": False}, 2, 2)])
def test_adversarial_branches(monkeypatch, settings, branches, moved):
    """Each branch is a forward and a backward; but in the last pass, deltas take one product more for each product."""
    made, plain = work("class", adversarial=AdversarialSettings(steps=2, **settings)), work("class")
    first, last = made.objective.parts(PARTS["class"])
    counted, _ = count_products(monkeypatch, lambda: made.losses(first))
    one = plain.cost(PARTS["class"])
    assert counted == branches * one.flops / 3
    assert made.passes(first) == branches
    assert made.cost(last) == Cost(branches * one.tokens, branches * one.rows, branches * one.flops)
    assert made.cost(first).flops == made.cost(last).flops + moved * one.flops / 3
    assert paddle.is_grad_enabled()
