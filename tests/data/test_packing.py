import numpy as np
import pytest

from tests.reference.packing import pack
from unimo_paddle.data.packing import Packing, Piece
from unimo_paddle.errors import UserError


def packing(lengths: list[int], max_tokens: int, seed: int = 0) -> Packing:
    return Packing(np.array(lengths, np.int32), max_tokens, seed)


def test_by_hand() -> None:
    """One document of 7 words, windows of 4 rows: [CLS] 0 1 2 | 3 4 5 6 | [SEP], which alone is no sequence."""
    one = packing([7], 6)
    assert one.sequences == 2
    assert sorted(one.sequence(0, k) for k in range(2)) == [[Piece(0, 0, 3)], [Piece(0, 3, 7)]]


@pytest.mark.parametrize("max_tokens", [5, 6, 9, 16, 64])
@pytest.mark.parametrize("kind", ["short", "long", "mixed", "one"])
def test_equals_the_definition(max_tokens: int, kind: str) -> None:
    rng = np.random.default_rng(max_tokens)
    lengths = {
        "short": rng.integers(1, 4, 50), "long": rng.integers(30, 200, 9),
        "mixed": np.where(rng.random(40) < 0.5, 1, rng.integers(1, 90, 40)), "one": np.array([1]),
    }[kind].tolist()  # fmt: skip
    ours = packing(lengths, max_tokens, seed=3)
    for epoch in (0, 5):
        found = [ours.sequence(epoch, k) for k in range(ours.sequences)]
        assert all(sum(end - begin + 2 for _, begin, end in pieces) <= max_tokens for pieces in found)
        order = ours._epoch(epoch).order.tolist()
        assert sorted(order) == list(range(len(lengths)))
        assert sorted(found) == sorted(pack(order, lengths, max_tokens))


def test_every_token_comes_once_and_next_to_nothing_is_padded() -> None:
    lengths = np.random.default_rng(1).integers(1, 300, 400).tolist()
    ours = packing(lengths, 128)
    pieces = [piece for k in range(ours.sequences) for piece in ours.sequence(2, k)]
    seen = [np.zeros(length, int) for length in lengths]
    for document, begin, end in pieces:
        seen[document][begin:end] += 1
    assert all((counts == 1).all() for counts in seen)
    rows = sum(end - begin + 2 for _, begin, end in pieces)
    assert 1 - rows / (ours.sequences * 128) < 0.02


def test_order_is_of_the_epoch_and_the_seed() -> None:
    lengths = [5] * 200
    one, same, other = packing(lengths, 32), packing(lengths, 32), packing(lengths, 32, seed=1)
    first = [one.sequence(0, k) for k in range(one.sequences)]
    assert [same.sequence(1, 0), *[same.sequence(0, k) for k in range(one.sequences)]][1:] == first
    assert [one.sequence(1, k) for k in range(one.sequences)] != first
    assert [other.sequence(0, k) for k in range(one.sequences)] != first


def test_a_book_is_spread_over_the_epoch() -> None:
    """Sequences 0 to 9 of an epoch would be one document if the windows came in their order."""
    ours = packing([1000] * 50, 102)
    assert len({ours.sequence(0, k)[0].document for k in range(10)}) > 5


def test_what_cannot_be_packed() -> None:
    with pytest.raises(UserError, match="0 documents"):
        packing([], 128)
    with pytest.raises(UserError, match="max_tokens of texts is 4; at least 5"):
        packing([3], 4)


@pytest.mark.slow
def test_ten_million_documents_within_seconds() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, 10_000_000).astype(np.int32)
    ours = Packing(lengths, 512, 1)
    assert ours.sequence(9, ours.sequences - 1)
