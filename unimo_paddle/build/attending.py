"""Where the model looks while it reads and writes: the last layer's attention by words and regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.build.answered import Answered
from unimo_paddle.build.predicting import Loaded, encoded
from unimo_paddle.data.batch import Sequences, pad
from unimo_paddle.data.continuation import continued
from unimo_paddle.data.encode import FIRST_POSITION, Ints, TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.data.task_stream import inputs_of
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.model.attention_map import last_attention
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.task_spec import Generate, Match
from unimo_paddle.tasks.answers import generation_ids

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Word:
    """A word, or a special token. readers: text rows whose attention is the word's own, none of an answer's start.
    read: text rows that others read it in, none of an answer's end."""

    name: str
    readers: tuple[int, ...]
    read: tuple[int, ...]
    is_written: bool = False


@dataclass(frozen=True)
class Looks:
    """The attention of W words, the mean over heads and over a word's tokens. Rows of both side by side sum to 1; those
    of the start of an answer, which nobody chose, to 0.

    regions: float64 [W, R], the whole image first, R may be 0; words: float64 [W, W].  A word that is written looks as
    the model did when it chose the word.
    """

    names: tuple[str, ...]
    is_written: tuple[bool, ...]
    regions: Shares
    words: Shares


def looks_of(loaded: Loaded, one: Answered) -> Looks:
    """Return where the model looks with an input, and with the best answer where it writes one."""
    sequences, words = _read(loaded, one)
    with paddle.no_grad():
        weights = last_attention(loaded.model.encoder, to_tensors(sequences)).astype("float64").numpy()[0]
    images, texts = sequences.features.shape[1], sequences.token_ids.shape[1]
    readers = _shares([word.readers for word in words], texts, is_mean=True) @ weights[images:]
    read = _shares([word.read for word in words], texts, is_mean=False).T
    return Looks(
        names=tuple(word.name for word in words),
        is_written=tuple(word.is_written for word in words),
        regions=readers[:, :images],
        words=readers[:, images:] @ read,
    )


def _read(loaded: Loaded, one: Answered) -> tuple[Sequences, list[Word]]:
    """Return the model's input as a batch of one, and its words."""
    sources, head = loaded.sources, loaded.sources.task.head
    tokenizer = sources.tokenizer
    if isinstance(head, Match):
        assert one.seen is not None
        text = sources.encoder.text(one.asked.record, one.asked.place)
        pattern = bidirectional(len(one.seen.row.features), len(text.ids))
        return pad([one.seen.row], [text], [pattern]), list(_source_words(text, tokenizer))
    example = encoded(loaded, one.asked)
    prompt, words = inputs_of([example]), list(_source_words(example.text, tokenizer))
    if not isinstance(head, Generate):
        return prompt, words
    ids, tokens = generation_ids(tokenizer, head), tokenizer.encode_batch([str(one.said.answer)])[0]
    # Letters that no token could write whole were replaced, and make more tokens now than were written.
    room = loaded.model.encoder.position_embedding.weight.shape[0] - FIRST_POSITION - 1
    written, starts = np.append(tokens.ids[:room], ids.end), np.append(tokens.word_start[:room], True)
    sequences, _ = continued(prompt, [written], ids.start)
    return sequences, [*words, *_written_words(written, starts, len(example.text.ids), tokenizer)]


def _source_words(text: TextRow, tokenizer: Tokenizer) -> Iterator[Word]:
    for rows in _grouped(text.word_start):
        yield Word(_name(text.ids[rows], tokenizer), tuple(rows.tolist()), tuple(rows.tolist()))


def _written_words(ids: Ints, starts: NDArray[np.bool_], source: int, tokenizer: Tokenizer) -> Iterator[Word]:
    """Yield the start and the words of an answer behind `source` text rows: row `source` is the start, and each row
    chooses the next one's token, so a word's readers are the rows before its own. The end is no row any more."""
    yield Word("[CLS]", (), (source,), True)
    for rows in _grouped(starts):
        own = (source + 1 + rows).tolist()
        read = tuple(row for row in own if row < source + len(ids))
        yield Word(_name(ids[rows], tokenizer), tuple(row - 1 for row in own), read, True)


def _grouped(word_start: NDArray[np.bool_]) -> list[Ints]:
    """Return the rows of each word."""
    rows = np.arange(len(word_start))
    return [group for group in np.split(rows, np.flatnonzero(word_start)) if len(group)]


def _name(ids: Ints, tokenizer: Tokenizer) -> str:
    special = {tokenizer.cls: "[CLS]", tokenizer.sep: "[SEP]", tokenizer.mask: "[MASK]"}
    return special.get(int(ids[0])) or tokenizer.decode(ids).strip() or "␣"


def _shares(groups: Sequence[Sequence[int]], width: int, is_mean: bool) -> Shares:
    """Return float64 [len(groups), width]: 1, or its share of 1, at each group's places."""
    found = np.zeros((len(groups), width))
    for row, group in enumerate(groups):
        found[row, list(group)] = 1 / max(len(group), 1) if is_mean else 1
    return found
