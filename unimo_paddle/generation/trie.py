"""The answers that may be generated, as a tree of their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.errors import UserError


@dataclass(eq=False)
class Node:
    """A beginning that answers share. children: by the token that follows; is_answer: one ends here."""

    children: dict[int, Node] = field(default_factory=dict)
    is_answer: bool = False

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """int64, those that may follow, ascending; the end is not among them."""
        return np.array(sorted(self.children), np.int64)


class Trie:
    """longest: tokens of the longest answer; tokens: all that occur."""

    def __init__(self, root: Node, longest: int, tokens: frozenset[int]) -> None:
        self.root, self.longest, self.tokens = root, longest, tokens

    @classmethod
    def from_token_lists(cls, answers: Iterable[Sequence[int]]) -> Trie:
        """Build it of answers, each its ids without start and end. UserError for none at all, or one without ids."""
        root, longest, tokens = Node(), 0, set[int]()
        for number, answer in enumerate(answers):
            if not len(answer):
                raise UserError(f"answer {number} has no tokens")
            node = root
            for token in answer:
                node = node.children.setdefault(int(token), Node())
            node.is_answer, longest = True, max(longest, len(answer))
            tokens.update(map(int, answer))
        if not longest:
            raise UserError("no answers were given; constrained generation needs at least one")
        return cls(root, longest, frozenset(tokens))
