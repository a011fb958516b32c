"""A task's batches: a pure function of seed and step, the same for any number of ranks, each example once an epoch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import small_task
from tests.data.small_corpus import regions_of
from tests.data.small_task import ANSWERS, HEADS, LABELS, LIMITS
from tests.reference.task_encoding import may_read
from unimo_paddle.data import task_stream
from unimo_paddle.data.batch import Sequences
from unimo_paddle.data.task_batch import AnswerPart, ClassPart, GeneratePart, NumberPart, TaskBatch
from unimo_paddle.data.task_encode import TaskEncoder
from unimo_paddle.data.task_stream import StreamSettings, TaskStream, evaluation_batches, survey
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record, Records
from unimo_paddle.regions import RegionStore

COUNT = 41
NAMES = [name for name in HEADS if name != "match"]


class World:
    """Streams over COUNT records of a task."""

    def __init__(self, path: Path) -> None:
        self.words, self.store, self.path = small_task.tokenizer(), small_task.store(path / "store"), path
        self._records: dict[str, Records] = {}

    def records(self, name: str) -> Records:
        if name not in self._records:
            made = [small_task.record(name, n) for n in range(COUNT)]
            self._records[name] = small_task.write(self.path / f"{name}.jsonl", made)
        return self._records[name]

    def encoder(self, name: str) -> TaskEncoder:
        return small_task.encoder(name, self.words)

    def images(self, name: str) -> RegionStore | None:
        return self.store if "image" in HEADS[name][1] else None

    def stream(self, name: str, seed: int = 0, rank: int = 0, world: int = 1, **changes: Any) -> TaskStream:
        settings = replace(StreamSettings(batch=8), **changes)
        return TaskStream(
            self.records(name), self.images(name), self.encoder(name), settings, seed, rank, world
        )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("tasks"))


def examples(part: Any) -> list[Any]:
    """Each example of a part without its padding, with what the model should say."""
    s = part.sequences
    wanted: list[Any]
    if isinstance(part, GeneratePart):
        width = s.token_ids.shape[1]
        wanted = []
        for b, references in enumerate(part.references):
            own = part.labels.rows // width == b
            labels = [part.labels.rows[own] % width, part.labels.targets[own]]
            wanted.append([references, int(part.source_rows[b]), *(one.tolist() for one in labels)])
    else:
        wanted = part.targets.tolist()
    return [[*unpadded(s, b), wanted[b]] for b in range(len(s.is_pad))]


def unpadded(s: Sequences, b: int) -> list[Any]:
    regions = s.features.shape[1]
    image, text = ~s.is_pad[b, :regions], ~s.is_pad[b, regions:]
    parts = [s.features[b][image], s.locations[b][image], s.reach[b][~s.is_pad[b]], s.group[b][~s.is_pad[b]]]
    for array in (s.token_ids, s.positions, s.roles, s.turns):
        parts.append(np.zeros(0) if array is None else array[b][text])
    return [part.tolist() for part in parts]


def everything(batches: list[TaskBatch]) -> tuple[list[str], list[Any]]:
    return [i for batch in batches for i in batch.ids], [
        one for batch in batches for part in batch.parts for one in examples(part)
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [0, 3, 777])
def test_the_whole_batch_depends_neither_on_the_ranks_nor_on_accumulation(small: World, name: str, step: int) -> None:
    whole = everything([small.stream(name).batch(step)])
    assert len(whole[0]) == len(whole[1]) == 8
    for world, accumulate in ((2, 1), (1, 4), (2, 2)):
        ranks = [small.stream(name, 0, rank, world, accumulate=accumulate).batch(step) for rank in range(world)]
        assert all(len(batch.parts) == accumulate and batch.kind == name for batch in ranks)
        assert everything(ranks) == whole


def test_pure_function_of_seed_and_step(small: World) -> None:
    stream, same, other = (small.stream("text", seed) for seed in (0, 0, 1))
    steps = [0, 5, 90_000]
    wanted = [everything([stream.batch(step)]) for step in steps]
    assert [everything([same.batch(step)]) for step in reversed(steps)] == wanted[::-1]
    assert other.batch(0).ids != wanted[0][0]


def test_each_example_once_an_epoch(small: World) -> None:
    stream = small.stream("text")
    assert stream.steps_per_epoch == COUNT // 8
    left_out = []
    for epoch in range(3):
        steps = range(epoch * stream.steps_per_epoch, (epoch + 1) * stream.steps_per_epoch)
        ids = [one for step in steps for one in stream.batch(step).ids]
        assert len(set(ids)) == len(ids) == COUNT - 1
        left_out += {f"r{n}" for n in range(COUNT)} - set(ids)
    assert len(set(left_out)) > 1


def test_understanding(small: World) -> None:
    kinds = {"text": ClassPart, "image": ClassPart, "number": NumberPart, "answer": AnswerPart}
    types = {"text": np.int64, "image": np.int64, "number": np.float32, "answer": np.float32}
    for name, kind in kinds.items():
        batch = small.stream(name).batch(0)
        (part,) = batch.parts
        assert isinstance(part, (ClassPart, NumberPart, AnswerPart)) and isinstance(part, kind)
        assert part.targets.dtype == types[name] and len(part.targets) == 8
        assert not part.sequences.reach.any() and part.sequences.roles is None
        for one, told in zip(batch.ids, part.targets.tolist(), strict=True):
            n = int(one[1:])
            scores = [1.0 if ANSWERS[n % 3] == answer else 0.0 for answer in ANSWERS]
            assert told == {"number": n / 4, "answer": scores}.get(name, n % 3)


def test_regions_are_those_of_the_image(small: World) -> None:
    batch = small.stream("image").batch(1)
    (part,) = batch.parts
    assert isinstance(part, ClassPart)
    for b, one in enumerate(batch.ids):
        own = regions_of(int(one[1:]) % small_task.IMAGES).features[: LIMITS.max_regions]
        features = part.sequences.features[b][~part.sequences.is_pad[b, : part.sequences.features.shape[1]]]
        assert features[1:].tolist() == own.tolist() and features[0].tolist() == own[0].tolist()


@pytest.mark.parametrize("name", ["summary", "dialogue", "caption", "spoken"])
def test_generation(small: World, name: str) -> None:
    batch = small.stream(name).batch(2)
    (part,) = batch.parts
    assert isinstance(part, GeneratePart)
    s, encoder, records = part.sequences, small.encoder(name), small.records(name)
    rows = {record.id: row for row, record in enumerate(records)}
    regions, width = s.features.shape[1], s.token_ids.shape[1]
    flat, seen = s.token_ids.reshape(-1), 0
    for b, one in enumerate(batch.ids):
        record = records[rows[one]]
        whole = task_stream._encoded(records, small.images(name), encoder, rows[one], with_answer=True)
        begin, end = part.source_rows[b], len(whole.text.ids)
        assert s.token_ids[b, :end].tolist() == whole.text.ids.tolist() and (s.token_ids[b, end:] == 1).all()
        assert (s.positions[b, end:] == 1).all()
        own = part.labels.rows[part.labels.rows // width == b]
        assert own.tolist() == list(range(b * width + begin, b * width + end - 1))
        seen += len(own)
        assert part.references[b] == (record.target,)
        reads = (s.reach[b][:, None] >= s.reach[b]) & ~s.is_pad[b]
        kept = ~s.is_pad[b]
        own_regions = int(kept[:regions].sum())
        assert reads[kept][:, kept].tolist() == may_read(own_regions, begin, end - begin)
        p = part.prompt
        words = ~p.is_pad[b, regions:]
        assert words.sum() == begin and p.token_ids[b][words].tolist() == whole.text.ids[:begin].tolist()
        assert p.features.shape == s.features.shape and not p.reach.any()
    assert seen == len(part.labels.rows) and (flat[part.labels.rows + 1] == part.labels.targets).all()
    assert (s.roles is not None) == (name == "dialogue") == (part.prompt.turns is not None)


def test_padding_of_a_dialogue(small: World) -> None:
    (part,) = small.stream("dialogue").batch(0).parts
    assert isinstance(part, GeneratePart)
    s = part.sequences
    assert s.roles is not None and s.turns is not None and s.is_pad.any()
    assert s.roles.shape == s.turns.shape == s.token_ids.shape and s.roles.dtype == np.int64
    assert (s.roles[s.is_pad] == 1).all() and (s.turns[s.is_pad] == 1).all()


@pytest.mark.parametrize("name", list(HEADS))
@pytest.mark.parametrize("world", [1, 3])
def test_evaluation_sees_every_input_once(small: World, name: str, world: int) -> None:
    records, encoder = small.records(name), small.encoder(name)
    shares = [[*evaluation_batches(records, small.images(name), encoder, 4, rank, world)] for rank in range(world)]
    batches = [one for share in shares for one in share]
    seen = np.concatenate([one.indices for one in batches])
    assert sorted(seen.tolist()) == list(range(COUNT)) and seen.dtype == np.int64
    assert max(len(one.indices) for one in batches) == 4
    widths = [one.sequences.is_pad.shape[1] for one in shares[0]]
    assert widths[0] == max(widths) or name == "text"   # where a pair counts as two texts
    for one in batches:
        assert not one.sequences.reach.any()
        for b, row in enumerate(one.indices.tolist()):
            image = one.sequences.features.shape[1]
            ids = one.sequences.token_ids[b][~one.sequences.is_pad[b, image:]]
            assert ids.tolist() == encoder.text(records[row], "place").ids.tolist()


def test_evaluation_needs_no_answers(small: World, tmp_path: Path) -> None:
    records = small_task.write_json(tmp_path / "test.jsonl", {"text": "a"}, {"text": "b c"})
    (batch,) = evaluation_batches(records, None, small.encoder("summary"), 4)
    assert batch.indices.tolist() == [1, 0] or batch.sequences.token_ids.shape[0] == 2
    with pytest.raises(UserError, match=r"test.jsonl:1: target is missing"):
        survey(records, None, small.encoder("summary"), with_answer=True)


def test_faulty_records_name_their_line(small: World, tmp_path: Path) -> None:
    def stream(name: str, *told: dict[str, object]) -> None:
        records = small_task.write_json(tmp_path / "train.jsonl", *told)
        TaskStream(records, small.images(name), small.encoder(name), StreamSettings(batch=1), 0)

    good = {"text": "a", "label": LABELS[0]}
    with pytest.raises(UserError, match=r"train.jsonl:2: label 'neutrall' is none of .*did you mean 'neutral'"):
        stream("text", good, {"text": "a", "label": "neutrall"})
    with pytest.raises(UserError, match=r"train.jsonl:3: text_b is missing, but other records of the split have it"):
        stream("text", {**good, "text_b": "b"}, {**good, "text_b": "b"}, good)
    with pytest.raises(UserError, match=r"train.jsonl:2: answers is missing"):
        stream("answer", {"text": "a", "image": "image1", "answers": {"no": 1}}, {"text": "a", "image": "image1"})
    with pytest.raises(UserError, match=r"train.jsonl:2: image is missing"):
        stream("image", {**good, "image": "image1"}, good)
    missing = [{**good, "image": f"lost{n % 7}"} for n in range(9)] + [{**good, "image": "image2"}]
    told = r"7 of 8 images of .*train.jsonl have no regions in .*store \(lost0, lost1, lost2, lost3, lost4, \.\.\.\)"
    with pytest.raises(UserError, match=told):
        stream("image", *missing)


def test_shares_that_do_not_fit(small: World) -> None:
    with pytest.raises(UserError, match="data.batch is 8, which cannot be shared out evenly to 3 processes with 1 mic"):
        small.stream("text", 0, 0, 3)
    with pytest.raises(UserError, match=r"3 micro-batches each \(train.accumulate\): make it a multiple of 6"):
        small.stream("text", 0, 0, 2, accumulate=3)
    with pytest.raises(UserError, match=r"data.batch is 0"):
        small.stream("text", batch=0)
    with pytest.raises(UserError, match=rf"data.batch is 48, but .*text.jsonl has {COUNT} records: lower it"):
        small.stream("text", batch=48)


def test_a_record_whose_fields_are_ids(small: World, tmp_path: Path) -> None:
    records = small_task.write(tmp_path / "train.jsonl", [Record("a", text=(9, 10), target=(11,)),
                                                          Record("b", text="dog", target=(11, 12))])  # fmt: skip
    stream = TaskStream(records, None, small.encoder("summary"), StreamSettings(batch=2), 0)
    (part,) = stream.batch(0).parts
    assert isinstance(part, GeneratePart)
    words: Tokenizer = small.words
    assert {*part.references} == {(words.decode([11]).strip(),), (words.decode([11, 12]).strip(),)}


@pytest.mark.parametrize("name", ["text", "caption"])
def test_large_splits_are_guessed(small: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    given = small.records(name), small.images(name), small.encoder(name), True
    monkeypatch.setattr(task_stream, "_AT_ONCE", 7)
    counted = survey(*given)
    monkeypatch.setattr(task_stream, "COUNTED", 10)
    guessed = survey(*given)
    assert counted.shape == guessed.shape == (COUNT, 2) and counted.dtype == np.int32
    assert (counted[:, 0] == guessed[:, 0]).all() and (counted[:, 1] != guessed[:, 1]).any()
    assert np.corrcoef(counted[:, 1], guessed[:, 1])[0, 1] > 0.9
    regions = [len(regions_of(n % small_task.IMAGES).features) for n in range(COUNT)]
    assert counted[:, 0].tolist() == [1 + min(n, LIMITS.max_regions) if name == "caption" else 0 for n in regions]
