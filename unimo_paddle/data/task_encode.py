"""Records -> rows: what a task's model reads of one record and what it should say, not yet padded."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from unimo_paddle.data import task_pieces as pieces
from unimo_paddle.data.encode import Floats, ImageRow, TextRow
from unimo_paddle.data.task_pieces import Piece, Special
from unimo_paddle.data.tokenizer import Tokenizer, Tokens
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, Text
from unimo_paddle.task_spec import Answer, Classify, Generate, Match, Regress, Task

_CHARACTERS = 4  # of a token, roughly: sizes only sort the examples
Fields = dict[str, Tokens]
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Limits:
    """Most tokens of a text or a source, of a target and of an image's tags, special tokens counted; most regions."""

    max_tokens: int = 512
    max_target: int = 128
    max_tags: int = 100
    max_regions: int = 100


@dataclass(frozen=True)
class Encoded:
    """One example.

    text: [tags][source][target], of which there may be none; source_rows: its rows before the target.
    wanted: int, the number of a class; float, a number; float32 [A], the score of each answer; None for a text that is
    to be generated, for images and texts that match, and where only the input was asked for.
    references: all texts that count as right, where one is generated.
    """

    image: ImageRow | None
    text: TextRow
    source_rows: int
    wanted: int | float | Floats | None = None
    references: tuple[str, ...] = ()


class TaskEncoder:
    """Encodes one task's records. labels: names of the classes in the order of their numbers, or the vocabulary of
    answers; of tasks with neither, none.

    `place` of a method is the record's FILE:LINE, which every UserError begins with.  Raises UserError when a task that
    tells classes apart has fewer than two, or one that answers has no answers.
    """

    def __init__(self, tokenizer: Tokenizer, task: Task, limits: Limits, labels: Sequence[str] = ()) -> None:
        least = {Classify: 2, Answer: 1}.get(type(task.head), 0)
        if len(labels) < least:
            raise UserError(f"task {task.name} has {len(labels)} labels, at least {least} are needed: docs/tasks.md")
        self.task, self.limits, self.labels = task, limits, tuple(labels)
        self._tokenizer, self._numbers = tokenizer, {label: number for number, label in enumerate(labels)}
        self._special = Special(tokenizer.cls, tokenizer.sep, tokenizer.mask)
        self._is_dialogue = isinstance(task.head, Generate) and task.head.dialogue

    def require(self, record: Record, place: str, with_answer: bool) -> None:
        """Raise UserError for a record without what the task reads, or with text that it does not read; with_answer:
        also without what it should learn to say, or with something else than it can say."""
        reads = self.task.reads
        for name in ("text", "text_b", "turns"):
            if name not in reads and getattr(record, name):
                raise UserError(f"{place}: {name} is filled, but {self.task.name} reads only {', '.join(reads)}")
        if "image" in reads and not record.image:
            raise UserError(f"{place}: image is missing: the image's id in the region store is wanted")
        if "text" in reads:
            _require_words(record.text, f"{place}: text")
        if "turns" in reads and not record.turns:
            raise UserError(f"{place}: turns is missing: a list of texts is wanted, the current question last")
        for turn in record.turns:
            _require_words(turn, f"{place}: one of the turns")
        for name in ("text_b", "tags"):
            if (given := getattr(record, name)) is not None:
                _require_words(given, f"{place}: {name}")
        if with_answer:
            self._wanted(record, place)

    def prompt(self, record: Record, image: ImageRow | None, place: str) -> Encoded:
        """Encode the input alone: of a text that is to be generated, what it is generated from."""
        return self._encode(record, image, place, with_answer=False)

    def encode(self, record: Record, image: ImageRow | None, place: str) -> Encoded:
        """Encode the input and what the model should say to it."""
        return self._encode(record, image, place, with_answer=True)

    def text(self, record: Record, place: str) -> TextRow:
        """Encode the words of the input alone, without an image."""
        tokens = self._tokens(record, place, ("tags", "text", "text_b"))
        return pieces.joined(self._source(record, tokens, place), self._is_dialogue)

    def lengths(self, records: Sequence[Record], with_answer: bool, is_counted: bool) -> list[int]:
        """Return how many text rows `encode` or (without answer) `prompt` makes of records, give or take a few special
        tokens. is_counted: by the tokenizer, else guessed from the letters."""
        texts = [[*self._texts(record, with_answer)] for record in records]
        words = [text for one in texts for text, _ in one if isinstance(text, str)]
        counts = map(_guess, words)
        if is_counted:
            counts = map(len, (one.ids for one in self._tokenizer.encode_batch(words)))
        return [
            sum(min(2 + (next(counts) if isinstance(text, str) else len(text)), most) for text, most in one)
            for one in texts
        ]

    def _texts(self, record: Record, with_answer: bool) -> Iterator[tuple[Text, int]]:
        """Yield each text of a record that is read, and how many tokens of it at most."""
        limits = self.limits
        most_of = {"tags": limits.max_tags, "text": limits.max_tokens, "text_b": limits.max_tokens}
        if with_answer:
            most_of["target"] = limits.max_target
        for name, most in most_of.items():
            if name in self.task.reads and (text := getattr(record, name)) is not None:
                yield text, most
        yield from ((turn, limits.max_tokens) for turn in record.turns[-pieces.MOST_TURNS :])

    def _encode(self, record: Record, image: ImageRow | None, place: str, with_answer: bool) -> Encoded:
        self.require(record, place, with_answer=False)
        assert (image is not None) == self.task.needs_regions, place
        wanted = self._wanted(record, place) if with_answer else None
        generates = with_answer and isinstance(self.task.head, Generate)
        tokens = self._tokens(record, place, ("tags", "text", "text_b", *(["target"] if generates else [])))
        source = self._source(record, tokens, place)
        target = [self._target(tokens["target"])] if generates else []
        source_rows = sum(len(one.tokens.ids) for one in source)
        references = self.references(record) if generates else ()
        return Encoded(image, pieces.joined([*source, *target], self._is_dialogue), source_rows, wanted, references)

    def _tokens(self, record: Record, place: str, names: Sequence[str]) -> Fields:
        """Return the fields that the task reads and the record has; words go to the tokenizer in one call."""
        given = {name: getattr(record, name) for name in names if name in self.task.reads}
        given = {name: text for name, text in given.items() if text is not None}
        return dict(zip(given, self._encoded([*given.values()], place), strict=True))

    def _encoded(self, texts: Sequence[Text], place: str) -> list[Tokens]:
        words = iter(self._tokenizer.encode_batch([text for text in texts if isinstance(text, str)]))
        return [next(words) if isinstance(text, str) else self._given(text, place) for text in texts]

    def _given(self, ids: tuple[int, ...], place: str) -> Tokens:
        row, size = np.array(ids, np.int64), self._tokenizer.vocab_size
        if row.min() < 0 or row.max() >= size:
            wrong = row[(row < 0) | (row >= size)][0]
            raise UserError(f"{place}: token id {wrong} is none of the tokenizer's {size}: it is another vocabulary's")
        return self._tokenizer.tokens(row)

    def _source(self, record: Record, tokens: Fields, place: str) -> list[Piece]:
        """What the model reads in words: tags, then the text, the pair, or the dialogue."""
        limits, found = self.limits, list[Piece]()
        if "tags" in tokens:
            found.append(pieces.tags(tokens["tags"], self._special, limits.max_tags))
        if self._is_dialogue:
            turns = self._encoded(record.turns[-pieces.MOST_TURNS :], place)
            return found + pieces.dialogue(tokens.get("text"), turns, self._special, limits.max_tokens)
        if "text_b" in tokens:
            found.append(pieces.pair(tokens["text"], tokens["text_b"], self._special, limits.max_tokens))
        elif "text" in tokens:
            found.append(pieces.text(tokens["text"], self._special, limits.max_tokens))
        return found

    def _target(self, tokens: Tokens) -> Piece:
        assert isinstance(self.task.head, Generate)
        return pieces.target(tokens, self._special, self.limits.max_target, self.task.head.end)

    def references(self, record: Record) -> tuple[str, ...]:
        """Return all texts that count as right, as words: those given, or the target; none where there is neither."""
        if record.references or record.target is None:
            return record.references
        target = record.target
        return (target if isinstance(target, str) else self._tokenizer.decode(target).strip(),)

    def _wanted(self, record: Record, place: str) -> int | float | Floats | None:
        """What the model should say, as Encoded.wanted; UserError when the record has it not or it cannot be said."""
        head = self.task.head
        if isinstance(head, Generate):
            _require_words(record.target, f"{place}: target")
        if isinstance(head, (Generate, Match)):
            return None
        if isinstance(head, Regress):
            return _number(record.label, place)
        return self._class(record.label, place) if isinstance(head, Classify) else self._scores(record, place)

    def _class(self, label: str | float | None, place: str) -> int:
        if label is None:
            raise UserError(f"{place}: label is missing; it is one of {_listed(self.labels)}")
        number = self._numbers.get(class_name(label))
        if number is None:
            like = get_close_matches(class_name(label), self.labels, 1, 0.5)
            nearest = f" (did you mean {like[0]!r}?)" if like else ""
            raise UserError(f"{place}: label {label!r} is none of {_listed(self.labels)}{nearest}")
        return number

    def _scores(self, record: Record, place: str) -> Floats:
        if not record.answers:
            raise UserError(f"{place}: answers is missing: an object, answer -> score from 0 to 1, is wanted")
        known = {self._numbers[name]: score for name, score in record.answers.items() if name in self._numbers}
        if not known:
            raise UserError(
                f"{place}: answers has none of the vocabulary's {len(self.labels)}, only {_listed([*record.answers])}; "
                f"such a question cannot be learnt from: leave it out"
            )
        scores = np.zeros(len(self.labels), np.float32)
        scores[list(known)] = list(known.values())
        return scores


def class_name(label: str | float) -> str:
    """Return the name of a class: a number stands for itself."""
    return label if isinstance(label, str) else f"{label:g}"


def labels_of(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the names of all classes that records have, sorted: for data that does not list them."""
    return tuple(sorted({class_name(one.label) for one in records if one.label is not None}))


def _number(label: str | float | None, place: str) -> float:
    if label is None or isinstance(label, str) or not math.isfinite(label):
        raise UserError(f"{place}: label is {'missing' if label is None else repr(label)}; a finite number is wanted")
    return float(label)


def _require_words(text: Text | None, what: str) -> None:
    if text is None:
        raise UserError(f"{what} is missing")
    if not (text.strip() if isinstance(text, str) else text):
        raise UserError(f"{what} is empty")
    if isinstance(text, str) and not text.isascii() and (half := _HALF.search(text)):
        raise UserError(f"{what} holds half a surrogate pair, {half[0]!r}: it was decoded wrongly; mend or drop it")


def _guess(text: str) -> int:
    return len(text) // _CHARACTERS


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
