"""A step as its ranks share it: what they tell each other, and how a part's losses become one number to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo_paddle.distributed import rank, require_same, sums, world_size
from unimo_paddle.model.flops import Cost
from unimo_paddle.objectives.terms import LossTerm


class Batch(Protocol):
    """One rank's share of a step. parts: each is one forward and one backward pass, so that what a pass keeps for its
    gradient is kept for one part at a time. ids: names of the examples, counted for the speed and named in errors."""

    @property
    def kind(self) -> str: ...

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def parts(self) -> Sequence[Any]: ...


class Work(Protocol):
    """What is trained. batch(step) must be a pure function of the step, or a resumed run is another one.

    counts(part): by loss, how many labels it sums over, known before any forward: the sums of all parts, over all
    ranks, divide each part's loss. cost(part): what it costs. passes(part): how often it runs the encoder's layers;
    only asked where processes share these. losses(part) runs the model forward; which there are may
    differ between steps, and between ranks.
    """

    @property
    def model(self) -> nn.Layer: ...

    def batch(self, step: int) -> Batch: ...

    def counts(self, part: Any) -> Mapping[str, float]: ...

    def cost(self, part: Any) -> Cost: ...

    def passes(self, part: Any) -> int: ...

    def losses(self, part: Any) -> Mapping[str, LossTerm]: ...


@dataclass(frozen=True)
class Announced:
    """A step over all parts and ranks, before any forward. counts: labels of each loss, of those that have some."""

    counts: dict[str, float]
    cost: Cost
    examples: int


@dataclass(frozen=True)
class Outcome:
    """A step over all ranks, before the update. sums: of each loss; wanted: which parameters have a gradient on some
    rank; words: what each rank has to say, by rank: its exit status when it was asked to stop, FAILED, or 0."""

    sums: dict[str, float]
    wanted: list[bool]
    words: list[int]


FAILED = -1


def announce(work: Work, batch: Batch, names: Sequence[str]) -> Announced:
    """Add up over parts and ranks what is known from the data alone: one small message. names: of all losses."""
    own = dict.fromkeys(names, 0.0)
    for part in batch.parts:
        for name, count in work.counts(part).items():
            assert name in own, f"an objective without a weight: {name}"
            own[name] += count
    costs = [work.cost(part) for part in batch.parts]
    figures = (sum(one.tokens for one in costs), sum(one.rows for one in costs), sum(one.flops for one in costs))
    *counts, tokens, rows, flops, examples = sums([*own.values(), *figures, len(batch.ids)])
    shown = {name: count for name, count in zip(own, counts, strict=True) if count}
    return Announced(shown, Cost(round(tokens), round(rows), flops), round(examples))


def require_same_passes(work: Work, batch: Batch) -> None:
    """Raise UserError on all ranks when their parts would run the encoder's layers differently often: ranks that send
    each other these layers' weights or gradients would wait for one another forever."""
    number = 0
    for part in batch.parts:
        number = (number * 1009 + work.passes(part) + 1) % 2**40
    require_same("passes through the encoder", number)


def agree(own_sums: Mapping[str, float], names: Sequence[str], has_gradient: Sequence[bool], word: int) -> Outcome:
    """Let all ranks know each other's losses, gradients and words after the last backward pass: one small message."""
    losses = [own_sums.get(name, 0.0) for name in names]
    words = [0.0] * world_size()
    words[rank()] = word
    everything = sums([*losses, *map(float, has_gradient), *words])
    present = everything[len(names) : len(names) + len(has_gradient)]
    return Outcome(
        sums=dict(zip(names, everything, strict=False)),
        wanted=[count > 0 for count in present],
        words=[round(one) for one in everything[len(names) + len(has_gradient) :]],
    )


def seed_dropout(seed: int, step: int, rank: int, part: int) -> None:
    """Make a part's dropout a function of these alone, so that a resumed run goes on bitwise and a part can be run
    again."""
    paddle.seed(int(np.random.SeedSequence((seed, step, rank, part)).generate_state(1)[0]))


def weighted_sum(
    terms: Mapping[str, LossTerm], weights: Mapping[str, float], counts: Mapping[str, float]
) -> Tensor | None:
    """Return what a part adds to the step's loss, float []; None when no objective of it has a weight.

    An objective without weight stays out, for 0 times infinity is no number.
    """
    shares = [
        term.sum * (weights[name] / max(counts.get(name, 0.0), 1.0)) for name, term in terms.items() if weights[name]
    ]
    return paddle.add_n(shares) if shares else None
