"""Attention patterns as data: two numbers per position, from which model/attention_mask.py makes the mask.

Position i reads position j when reach[i] >= reach[j] and group[i] == group[j]. The image's rows come first, then
the text's, as in every sequence of this package. Sizes count the special rows too: the whole-image row, [CLS], [SEP].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Pattern(NamedTuple):
    """Who reads whom in one example.

    reach: int32 [R+T]; group: int32 [R+T].
    """

    reach: npt.NDArray[np.int32]
    group: npt.NDArray[np.int32]


def bidirectional(regions: int, tokens: int) -> Pattern:
    """Every position reads every other: understanding, masked words and masked regions (paper, section 4)."""
    size = regions + tokens
    return Pattern(np.zeros(size, np.int32), np.zeros(size, np.int32))


def image_prefix(regions: int, source: int, target: int) -> Pattern:
    """Image and source read each other; a target position reads both and the target up to itself.

    Without regions it is plain seq2seq; without a source it is captioning (release, section 3).
    """
    reach = np.zeros(regions + source + target, np.int32)
    reach[regions + source :] = np.arange(1, target + 1)
    return Pattern(reach, np.zeros_like(reach))


def seq2seq(source: int, target: int) -> Pattern:
    """Source tokens read each other; a target token reads the source and the target up to itself."""
    return image_prefix(0, source, target)


def separate(regions: int, tokens: int) -> Pattern:
    """Image and text in one row of a batch, neither reading the other: retrieved pairs (paper, section 2)."""
    group = np.zeros(regions + tokens, np.int32)
    group[regions:] = 1
    return Pattern(np.zeros_like(group), group)
