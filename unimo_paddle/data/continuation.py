"""Texts that a model wrote, put behind what it was given: the batch in which they are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data.batch import PAD, LanguageLabels, Sequences
from unimo_paddle.data.encode import FIRST_POSITION, Bools, Ints


def continued(prompt: Sequences, targets: Sequence[Ints], start: int) -> tuple[Sequences, LanguageLabels]:
    """Return the batch and the labels of B * n targets, n of each row of the prompt in turn.

    targets: token ids, at least one each, with the end where they have one, without the start; start: id of the token
    that stands before them.  A target has positions of its own, reads all of the prompt and itself from left to right,
    and in a dialogue is role 0, turn 0 (release, sections 3 and 5.2).
    """
    batch, given = prompt.token_ids.shape
    row_of = np.repeat(np.arange(batch), len(targets) // batch)
    lengths = np.array([len(one) for one in targets])
    column = np.arange(lengths.max())
    is_pad = column >= lengths[:, None]
    ids = np.full(is_pad.shape, PAD, np.int64)
    for row, one in zip(ids, targets, strict=True):
        row[: len(one)] = (start, *one[:-1])
    reach = np.minimum(column + 1, lengths[:, None]).astype(np.int32)
    shares, shown = prompt.features.shape[1] > 0, _images(prompt)
    sequences = Sequences(
        features=prompt.features if shares else prompt.features[row_of],
        locations=prompt.locations if shares else prompt.locations[row_of],
        token_ids=_behind(prompt.token_ids[row_of], ids),
        positions=_behind(prompt.positions[row_of], np.where(is_pad, PAD, column + FIRST_POSITION)),
        reach=_behind(prompt.reach[row_of], reach),
        group=_behind(prompt.group[row_of], np.zeros_like(reach)),
        is_pad=_behind(prompt.is_pad[row_of], is_pad),
        image_of=shown[row_of] if shares else None,
        roles=None if prompt.roles is None else _behind(prompt.roles[row_of], np.zeros_like(ids)),
        turns=None if prompt.turns is None else _behind(prompt.turns[row_of], np.zeros_like(ids)),
    )
    labelled: Bools = np.concatenate((np.zeros((len(targets), given), np.bool_), ~is_pad), axis=1)
    return sequences, LanguageLabels(np.flatnonzero(labelled), np.concatenate(targets).astype(np.int64))


def _images(prompt: Sequences) -> Ints:
    return np.arange(len(prompt.is_pad)) if prompt.image_of is None else prompt.image_of


def _behind(before: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((before, more), axis=1)
