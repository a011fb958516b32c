from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.token_world import text, write_store, write_tokenizer
from unimo_paddle.data.batch import Batch, LanguagePart, Parts
from unimo_paddle.data.text_stream import TextSettings, TextStream
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.token_store import TokenStore

DOCUMENTS = 60
SETTINGS = TextSettings(rows=300, max_tokens=24, multiple=4)
READ = ("token_ids", "positions", "reach", "group")
SPANS, FRAGMENTS = Parts(seq2seq=False), Parts(bidirectional=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenStore, Tokenizer]:
    return write_store(tmp_path_factory.mktemp("world"), [text(number) for number in range(DOCUMENTS)])


@pytest.fixture(scope="module")
def make(made: tuple[TokenStore, Tokenizer]) -> Any:
    def make_stream(seed: int = 0, rank: int = 0, world: int = 1, accumulate: int = 1, **changes: Any) -> TextStream:
        return TextStream(*made, replace(SETTINGS, **changes), seed, rank, world, accumulate)

    return make_stream


def rows_of(batch: Batch) -> list[dict[str, list[Any]]]:
    """Each sequence without its padding, with its labels: place -> token."""
    rows = []
    for part in batch.parts:
        assert isinstance(part, LanguagePart)
        s, width = part.sequences, part.sequences.token_ids.shape[1]
        for b, is_pad in enumerate(s.is_pad):
            own = part.labels.rows // width == b
            labels = zip((part.labels.rows[own] % width).tolist(), part.labels.targets[own].tolist(), strict=True)
            values = {name: getattr(s, name)[b][~is_pad].tolist() for name in READ}
            rows.append(values | {"labels": list(labels)})
    return rows


def pieces_of(row: dict[str, list[Any]]) -> list[list[int]]:
    """The places of each piece."""
    return [[i for i, group in enumerate(row["group"]) if group == one] for one in range(max(row["group"]) + 1)]


def restored(row: dict[str, list[Any]]) -> list[list[int]]:
    """The tokens of each piece of a bidirectional sequence, with what was hidden put back."""
    ids = list(row["token_ids"])
    for place, target in row["labels"]:
        ids[place] = target
    return [[ids[i] for i in piece] for piece in pieces_of(row)]


def test_one_sequence_by_hand(tmp_path: Path) -> None:
    """Two documents in one sequence: each has its [CLS], [SEP], positions from 2, and a group of its own."""
    store, tokenizer = write_store(tmp_path, ["a dog runs", "two cats sleep"])
    stream = TextStream(store, tokenizer, TextSettings(rows=64, max_tokens=64, parts=SPANS), seed=0)
    assert (stream.batch_sequences, stream.packing.sequences) == (1, 1)
    (row,) = rows_of(stream.batch(0))
    order = stream.packing._epoch(0).order.tolist()
    wanted = [[tokenizer.cls, *store.read(document).ids.tolist(), tokenizer.sep] for document in order]
    assert restored(row) == wanted
    assert row["positions"] == [2 + place for piece in wanted for place in range(len(piece))]
    assert row["group"] == [0] * len(wanted[0]) + [1] * len(wanted[1]) and set(row["reach"]) == {0}
    ids = [token for piece in wanted for token in piece]
    assert all(ids[place] == target for place, target in row["labels"])
    assert {row["group"][place] for place, _ in row["labels"]} == {0, 1}   # hidden in each piece
    assert stream.batch(0).ids == [f"document {order[0]}, tokens 0-{len(wanted[0]) - 2}"]
    assert stream.batch(0).kind == "text"


def test_every_token_comes_once_an_epoch(made: tuple[TokenStore, Tokenizer], make: Any) -> None:
    stream, (store, tokenizer) = make(parts=SPANS), made
    n = stream.batch_sequences
    assert n == 12
    steps = -(-stream.packing.sequences // n)
    rows = [row for step in range(steps) for row in rows_of(stream.batch(step))][: stream.packing.sequences]
    assert all(len(row["token_ids"]) <= 24 for row in rows)
    pieces = [piece for row in rows for piece in restored(row)]
    assert all(piece[0] == tokenizer.cls and piece[-1] == tokenizer.sep for piece in pieces)
    found = np.bincount([token for piece in pieces for token in piece[1:-1]], minlength=300)
    wanted = np.bincount(np.concatenate([store.read(number).ids for number in range(DOCUMENTS)]), minlength=300)
    assert found.tolist() == wanted.tolist()
    labels = sum(len(row["labels"]) for row in rows)
    assert 0.15 <= labels / store.tokens < 0.35   # pieces are short, and words are never split


def test_a_piece_to_be_generated_reads_its_own_source_and_itself_so_far(
    made: tuple[TokenStore, Tokenizer], make: Any
) -> None:
    for row in rows_of(make(parts=FRAGMENTS).batch(3)):
        for piece in pieces_of(row):
            reach = [row["reach"][place] for place in piece]
            source = reach.count(0)
            assert reach == [0] * source + list(range(1, len(reach) - source + 1)) and source >= 2
            assert [row["positions"][place] for place in piece[:source]] == list(range(2, 2 + source))
            assert row["positions"][piece[source]] == 2 and row["token_ids"][piece[source]] == made[1].cls
        assert all(row["reach"][place] > 0 and row["group"][place] == row["group"][place + 1] and
                   row["token_ids"][place + 1] == target for place, target in row["labels"])  # fmt: skip


def equal(one: Batch, other: Batch) -> bool:
    return one.ids == other.ids and rows_of(one) == rows_of(other)


@pytest.mark.parametrize("step", [0, 1, 40])
def test_the_whole_batch_depends_neither_on_the_ranks_nor_on_accumulation(make: Any, step: int) -> None:
    whole = make().batch(step)
    wanted = list(zip(whole.ids, rows_of(whole), strict=True))
    for world, accumulate in ((2, 1), (4, 1), (1, 4), (2, 2)):
        batches = [make(0, rank, world, accumulate).batch(step) for rank in range(world)]
        assert all(len(batch.parts) == accumulate for batch in batches)
        assert {part.objective for batch in batches for part in batch.parts} == {whole.parts[0].objective}
        assert [pair for batch in batches for pair in zip(batch.ids, rows_of(batch), strict=True)] == wanted


def test_pure_function_of_seed_and_step(make: Any) -> None:
    stream, same, other = make(), make(), make(seed=1)
    steps = [0, 5, 100_000, 6]
    wanted = [stream.batch(step) for step in steps]
    assert all(equal(same.batch(step), batch) for step, batch in zip(reversed(steps), reversed(wanted), strict=True))
    assert not equal(other.batch(0), wanted[0])
    epoch = stream.packing.sequences
    parts = [make(rows=24, multiple=1, parts=SPANS).batch(step) for step in (0, epoch)]
    assert not equal(*parts)


def test_both_ways_of_hiding_words_take_turns_unless_one_has_no_weight(make: Any) -> None:
    def objectives(parts: Parts) -> list[str]:
        stream = make(rows=96, parts=parts)
        return [stream.batch(step).parts[0].objective for step in range(40)]

    assert 10 < objectives(Parts()).count("seq2seq") < 30
    assert set(objectives(SPANS)) == {"bidirectional"} and set(objectives(FRAGMENTS)) == {"seq2seq"}
    with pytest.raises(UserError, match="neither masked_language nor seq2seq has"):
        make(parts=Parts(bidirectional=False, seq2seq=False))


def test_a_budget_that_is_too_small_and_shares_that_are_uneven(make: Any) -> None:
    assert make(rows=96).batch_sequences == 4 and make(rows=191).batch_sequences == 4
    with pytest.raises(UserError, match="texts.rows is 95, which has no room for 4 sequences of 24 tokens"):
        make(rows=95)
    with pytest.raises(UserError, match="batches of texts are multiples of 4 .* to 2 processes with 3 micro-batches"):
        make(world=2, accumulate=3)


def test_a_store_of_another_tokenizer(made: tuple[TokenStore, Tokenizer], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="was made with another tokenizer"):
        TextStream(made[0], write_tokenizer(tmp_path, 290), SETTINGS, seed=0)
