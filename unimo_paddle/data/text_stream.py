"""Batches of texts alone: documents packed to sequences, words hidden in each piece by itself (paper section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import Batch, LanguagePart, Parts, language_labels, pad
from unimo_paddle.data.encode import TextRow, encode_text
from unimo_paddle.data.masking import HiddenText
from unimo_paddle.data.packing import Packing, Piece
from unimo_paddle.data.patterns import Pattern
from unimo_paddle.data.plan import micro_batches, require_shares
from unimo_paddle.data.stream import objective_of
from unimo_paddle.data.tokenizer import Tokenizer, Tokens
from unimo_paddle.errors import UserError
from unimo_paddle.token_store import TokenStore

_HIDDEN = 12  # what a generator is for; data/packing.py and data/stream.py have the other numbers


@dataclass(frozen=True)
class TextSettings:
    """rows: tokens of one step over all ranks, padding counted.  max_tokens: of a sequence, special tokens counted.
    multiple: sequences of a step are a multiple of it.  span_rate, fragment_rate: paper section 4.
    parts: which ways of hiding words have a weight.

    A step of seq2seq has more tokens than `rows`: the [CLS] and [SEP] of the fragments that are to be generated.
    """

    rows: int
    max_tokens: int
    multiple: int = 1
    span_rate: float = 0.15
    fragment_rate: float = 0.25
    parts: Parts = field(default_factory=Parts)


class _Row(NamedTuple):
    """A sequence as the model reads it: pieces that do not read each other, each with words hidden."""

    hidden: HiddenText
    pattern: Pattern


class TextStream:
    """Batches of a token store's documents, for one rank of the run: batch(step) is a pure function.

    Every token comes once an epoch; batches run on over the end of an epoch.  The batch of all ranks together depends
    neither on how many they are nor on `accumulate`: each takes its slice and cuts it into so many micro-batches,
    a LanguagePart each.  batch_sequences: sequences of a step, over all ranks.
    Raises UserError when the store is of another tokenizer, the budget is too small, the batch cannot be shared out
    evenly, or no way of hiding words has a weight; and as Packing does.
    """

    def __init__(
        self,
        store: TokenStore,
        tokenizer: Tokenizer,
        settings: TextSettings,
        seed: int,
        rank: int = 0,
        world: int = 1,
        accumulate: int = 1,
    ) -> None:
        store.require_tokenizer(tokenizer.fingerprint())
        require_shares(settings.multiple, world, accumulate, "texts")
        self.batch_sequences = _batch_sequences(settings)
        self.packing = Packing(store.lengths, settings.max_tokens, seed)
        self._objectives = [name for name in ("bidirectional", "seq2seq") if settings.parts.hides_words(name)]
        if not self._objectives:
            raise UserError("texts have a weight, but neither masked_language nor seq2seq has: give one of them one")
        self._store, self._tokenizer, self._settings, self._seed = store, tokenizer, settings, seed
        self._own = micro_batches(self.batch_sequences, rank, world, accumulate)

    def batch(self, step: int) -> Batch:
        """Return this rank's sequences of a step; UserError when the store is damaged.

        Words are hidden bidirectionally or for seq2seq, by a coin for each step when both have a weight.  The id of a
        sequence is its first piece: `document:begin-end`, in tokens.
        """
        coin = objective_of(self._seed, step)
        objective = coin if coin in self._objectives else self._objectives[0]
        first = step * self.batch_sequences
        ids, parts = list[str](), list[LanguagePart]()
        for some in self._own:
            places = [divmod(first + i, self.packing.sequences) for i in range(some.start, some.stop)]
            pieces = [self.packing.sequence(*place) for place in places]
            rows = [self._row(*each, objective) for each in zip(places, pieces, strict=True)]
            ids += ["document {}, tokens {}-{}".format(*found[0]) for found in pieces]
            sequences = pad([], [row.hidden.text for row in rows], [row.pattern for row in rows])
            labels = language_labels([row.hidden for row in rows], sequences.token_ids.shape[1])
            parts.append(LanguagePart(objective, sequences, labels))
        return Batch("text", ids, tuple(parts))

    def _row(self, place: tuple[int, int], pieces: Sequence[Piece], objective: str) -> _Row:
        rng = np.random.default_rng((self._seed, _HIDDEN, *place))
        rows = [self._encode(piece) for piece in pieces]
        if objective == "seq2seq":
            cut = [masking.cut_fragments(row, rng, self._settings.fragment_rate) for row in rows]
            return _join(cut, [patterns.seq2seq(one.n_source, one.n_target) for one in cut])
        mask = self._tokenizer.mask
        hidden = [masking.mask_spans(row, rng, mask, self._settings.span_rate) for row in rows]
        return _join(hidden, [patterns.bidirectional(0, len(row.ids)) for row in rows])

    def _encode(self, piece: Piece) -> TextRow:
        tokens = Tokens(*self._store.read(*piece))
        return encode_text(tokens, self._tokenizer.cls, self._tokenizer.sep, self._settings.max_tokens)


def _join(hidden: Sequence[HiddenText], reads: Sequence[Pattern]) -> _Row:
    """Lay pieces side by side as one row; each is a group of its own."""
    sizes = [len(one.text.ids) for one in hidden]
    starts = np.cumsum([0, *sizes[:-1]])
    text = TextRow(
        ids=np.concatenate([one.text.ids for one in hidden]),
        positions=np.concatenate([one.text.positions for one in hidden]),
        word_start=np.concatenate([one.text.word_start for one in hidden]),
    )
    labelled = np.concatenate([start + one.labelled for start, one in zip(starts, hidden, strict=True)])
    group = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return _Row(
        HiddenText(text, labelled, np.concatenate([one.targets for one in hidden])),
        Pattern(np.concatenate([one.reach for one in reads]), group),
    )


def _batch_sequences(settings: TextSettings) -> int:
    """Return how many sequences the budget allows a step; UserError when that is none."""
    count = settings.rows // settings.max_tokens // settings.multiple * settings.multiple
    if count == 0:
        raise UserError(
            f"texts.rows is {settings.rows}, which has no room for {settings.multiple} sequences of "
            f"{settings.max_tokens} tokens: allow at least {settings.multiple * settings.max_tokens} rows, or make the "
            f"sequences shorter"
        )
    return count
