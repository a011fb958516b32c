"""Texts from a model that says, one token after another, how likely each next one is.

generate() is all of it: greedy, beam, diverse beam and nucleus, over anything that steps (types.Stepper): the model
itself (model/cache.py), or a program exported from it. numpy only.
"""

from unimo_paddle.generation.generate import FIRST_POSITION, generate
from unimo_paddle.generation.trie import Trie
from unimo_paddle.generation.types import Hypothesis, Ids, Stepper

__all__ = ["FIRST_POSITION", "Hypothesis", "Ids", "Stepper", "Trie", "generate"]
