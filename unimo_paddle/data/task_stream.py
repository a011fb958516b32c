"""The stream of a task's batches: batch(step) is a pure function of the seed and the step; and what is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.data import patterns
from unimo_paddle.data.batch import LanguageLabels, Sequences, pad
from unimo_paddle.data.encode import ImageRow, Ints, TextRow, encode_image
from unimo_paddle.data.plan import micro_batches
from unimo_paddle.data.task_batch import (
    AnswerPart,
    ClassPart,
    EvalBatch,
    GeneratePart,
    MatchPart,
    NumberPart,
    TaskBatch,
    TaskPart,
)
from unimo_paddle.data.task_encode import Encoded, TaskEncoder
from unimo_paddle.data.task_match import Drawn, Partners, match_part, shown
from unimo_paddle.data.task_order import alike, epoch_order
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, Records
from unimo_paddle.regions import RegionStore
from unimo_paddle.task_spec import Answer, Classify, Generate, Head, Match, Regress

# What a generator is for; task_order.py and data/stream.py have the other numbers.
_PARTNERS, _POOL = 32, 33
COUNTED = 100_000_000  # bytes of a split whose tokens are counted before it is read, a minute: else they are guessed
_AT_ONCE = 1000  # records that the tokenizer counts in one call


@dataclass(frozen=True)
class StreamSettings:
    """batch: examples of a step over all ranks.  accumulate: micro-batches that each rank makes of its share.
    negatives, pool: wrong images and as many wrong texts of a record that are shown, and that harder ones are picked
    from; of tasks that match images and texts."""

    batch: int
    accumulate: int = 1
    negatives: int = 10
    pool: int = 0


class TaskStream:
    """Batches of one split for one rank of the run.

    Each epoch visits the examples in an order of its own; fewer than a batch are left out in each, others every time.
    Examples of like size make a batch, and batches come in random order (data/task_order.py).  The batch of all ranks
    together depends neither on how many they are nor on `accumulate`.  Records and regions are read from memory maps
    when a batch needs them; of each example its sizes are held, and one epoch's order.
    images: None for a task that reads none.  steps_per_epoch: batches of an epoch.
    Raises UserError when the batch cannot be shared out evenly or is larger than the split, when a record lacks
    something or holds something wrong (naming file and line), and when the store lacks images (naming them).
    """

    def __init__(
        self,
        records: Records,
        images: RegionStore | None,
        encoder: TaskEncoder,
        settings: StreamSettings,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        _require_shares(settings, world, records)
        self._sizes = survey(records, images, encoder, with_answer=True)
        self._records, self._images, self._encoder, self._seed = records, images, encoder, seed
        is_match = isinstance(encoder.task.head, Match)
        self._partners = Partners(records, settings.negatives, settings.pool) if is_match else None
        self._batch, self.steps_per_epoch = settings.batch, len(records) // settings.batch
        self._own = micro_batches(settings.batch, rank, world, settings.accumulate)
        self._last: tuple[int, Ints] | None = None

    def batch(self, step: int) -> TaskBatch:
        """Return this rank's examples of the step; UserError when the store is damaged."""
        epoch, turn = divmod(step, self.steps_per_epoch)
        rows = self._order(epoch)[turn]
        parts: list[TaskPart] = []
        if self._partners is None:
            parts += [collate(self._encoder.task.head, self._examples(rows[own])) for own in self._own]
        else:
            drawn = self._draw(self._partners, rows, epoch, step)
            parts += [self._match(self._partners, drawn[own]) for own in self._own]
        ids = [self._record(row).id for own in self._own for row in rows[own]]
        return TaskBatch(self._encoder.task.name, ids, tuple(parts))

    def _order(self, epoch: int) -> Ints:
        """Return the rows of each step of an epoch: int64 [steps, batch]."""
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, epoch_order(self._sizes, self._batch, self._seed, epoch)
        return self._last[1]

    def _record(self, row: int) -> Record:
        record: Record = self._records[row]
        return record

    def _examples(self, rows: Ints) -> list[Encoded]:
        return [_encoded(self._records, self._images, self._encoder, row, with_answer=True) for row in rows.tolist()]

    def _draw(self, partners: Partners, rows: Ints, epoch: int, step: int) -> list[Drawn]:
        rngs = [np.random.default_rng((self._seed, _PARTNERS, epoch, row)) for row in rows.tolist()]
        return partners.draw(rows, rngs, np.random.default_rng((self._seed, _POOL, step)))

    def _match(self, partners: Partners, drawn: Sequence[Drawn]) -> MatchPart:
        assert self._images is not None
        numbers, rows = shown(drawn)
        most = self._encoder.limits.max_regions
        images = {number: read_image(self._images, partners.names[number], most) for number in numbers}
        texts = {row: self._encoder.text(self._record(row), self._records.place(row)) for row in rows}
        return match_part(drawn, images, texts)


def evaluation_batches(
    records: Records,
    images: RegionStore | None,
    encoder: TaskEncoder,
    size: int,
    rank: int = 0,
    world: int = 1,
) -> Iterator[EvalBatch]:
    """Yield a rank's share of a split's inputs, `size` at a time, like with like, the largest first: what does not fit
    into memory shows at once. Of a text that is to be generated: what it is generated from.

    Raises UserError as TaskStream does, but for answers, which are not looked at.
    """
    sizes = survey(records, images, encoder, with_answer=False)
    order = alike(np.arange(len(records)), sizes, size, -(-len(records) // size))
    for start in range(rank * size, len(order), world * size):
        rows = order[start : start + size]
        some = [_encoded(records, images, encoder, row, with_answer=False) for row in rows.tolist()]
        yield EvalBatch(rows, inputs_of(some))


def survey(
    records: Records, images: RegionStore | None, encoder: TaskEncoder, with_answer: bool
) -> NDArray[np.int32]:
    """Look at every record once: return how many image rows and text rows each makes, int32 [N, 2]: rows of the text
    are counted by the tokenizer, and of a split of more than COUNTED bytes guessed by the letters.

    Raises UserError for the first record that the task cannot read (with_answer: or learn from), and for all images
    that the store lacks.
    """
    assert (images is not None) == encoder.task.needs_regions, encoder.task.name
    sizes, has_pair = np.zeros((len(records), 2), np.int32), np.zeros(len(records), np.bool_)
    is_counted = records.path.stat().st_size <= COUNTED
    regions_of: dict[str, int] = {}
    for begin in range(0, len(records), _AT_ONCE):
        some: list[Record] = records[begin : begin + _AT_ONCE]
        for row, record in enumerate(some, begin):
            encoder.require(record, records.place(row), with_answer)
            has_pair[row] = record.text_b is not None
            sizes[row, 0] = _region_rows(record, images, regions_of, encoder.limits.max_regions)
        sizes[begin : begin + len(some), 1] = encoder.lengths(some, with_answer, is_counted)
    if "text_b" in encoder.task.reads and has_pair.any() and not has_pair.all():
        place = records.place(int(has_pair.argmin()))
        raise UserError(f"{place}: text_b is missing, but other records of the split have it: all or none must")
    if images is not None:
        _require_images(regions_of, records, images)
    return sizes


def _region_rows(record: Record, store: RegionStore | None, regions_of: dict[str, int], most: int) -> int:
    """Return image rows of a record, [IMG] counted, and remember how many regions its image has."""
    if store is None or record.image is None:
        return 0
    if record.image not in regions_of:
        regions_of[record.image] = store.count(record.image)
    return 1 + min(regions_of[record.image], most)


def read_image(store: RegionStore, image_id: str, most: int) -> ImageRow:
    """Read an image's features and boxes, without the classes of its regions (float32 [R+1, 0])."""
    return encode_image(store.read(image_id, probabilities=False), image_id, most)


def inputs_of(examples: Sequence[Encoded]) -> Sequences:
    """Pad the inputs alone, whatever follows them: all read each other."""
    return _padded(examples, [one.source_rows for one in examples])


def collate(head: Head, examples: Sequence[Encoded]) -> TaskPart:
    """Pad a micro-batch with what the model should say, as the head learns it."""
    if isinstance(head, Generate):
        return _generate_part(examples)
    wanted, inputs = [one.wanted for one in examples], inputs_of(examples)
    if isinstance(head, Classify):
        return ClassPart(inputs, np.array(wanted, np.int64))
    if isinstance(head, Regress):
        return NumberPart(inputs, np.array(wanted, np.float32))
    assert isinstance(head, Answer), head
    return AnswerPart(inputs, np.array(wanted, np.float32))


def _generate_part(examples: Sequence[Encoded]) -> GeneratePart:
    sequences = _padded(examples, [len(one.text.ids) for one in examples])
    width = sequences.token_ids.shape[1]
    predicting = [np.arange(one.source_rows, len(one.text.ids) - 1) for one in examples]
    labels = LanguageLabels(
        rows=np.concatenate([b * width + rows for b, rows in enumerate(predicting)]),
        targets=np.concatenate([one.text.ids[rows + 1] for one, rows in zip(examples, predicting, strict=True)]),
    )
    return GeneratePart(
        sequences=sequences,
        labels=labels,
        prompt=inputs_of(examples),
        references=tuple(one.references for one in examples),
        source_rows=np.array([one.source_rows for one in examples], np.int64),
    )


def _padded(examples: Sequence[Encoded], rows: Sequence[int]) -> Sequences:
    """Pad the first `rows` text rows of each example; the target among them reads the source and itself up to where it
    is."""
    texts = [_cut(one.text, count) for one, count in zip(examples, rows, strict=True)]
    images = [one.image for one in examples if one.image is not None]
    assert len(images) in (0, len(examples))
    shapes = [
        (len(one.image.features) if one.image else 0, one.source_rows, count - one.source_rows)
        for one, count in zip(examples, rows, strict=True)
    ]
    return pad(images, texts, [patterns.image_prefix(*shape) for shape in shapes])


def _cut(text: TextRow, most: int) -> TextRow:
    roles, turns = (None if part is None else part[:most] for part in (text.roles, text.turns))
    return TextRow(text.ids[:most], text.positions[:most], text.word_start[:most], roles, turns)


def _encoded(
    records: Records, images: RegionStore | None, encoder: TaskEncoder, row: int, with_answer: bool
) -> Encoded:
    record: Record = records[row]
    image = None
    if images is not None:
        assert record.image is not None
        image = read_image(images, record.image, encoder.limits.max_regions)
    encode = encoder.encode if with_answer else encoder.prompt
    return encode(record, image, records.place(row))


def _require_images(regions_of: Mapping[str, int], records: Records, store: RegionStore) -> None:
    """Raise UserError naming images without regions. regions_of: of every image of the split, how many it has."""
    missing = [name for name, count in regions_of.items() if not count]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(regions_of)} images of {records.path} have no regions in {store.path} "
            f"({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}); extract them with: "
            f"tools/extract.py --detector DIR --images DIR --out {store.path}, or import features that you have: "
            f"tools/extract.py import"
        )


def _require_shares(settings: StreamSettings, world: int, records: Records) -> None:
    shares = world * settings.accumulate
    if settings.batch < 1 or settings.batch % shares:
        raise UserError(
            f"data.batch is {settings.batch}, which cannot be shared out evenly to {world} processes with "
            f"{settings.accumulate} micro-batches each (train.accumulate): make it a multiple of {shares}"
        )
    if settings.batch > len(records):
        raise UserError(f"data.batch is {settings.batch}, but {records.path} has {len(records)} records: lower it")
