"""The token store: what was written comes back, piece by piece, and what is damaged is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.token_store import (
    StoredTokens,
    TokenMeta,
    TokenStore,
    enter,
    shard_path,
    write_arrays,
    write_meta,
)


def meta(shards: int, vocab_size: int = 500) -> TokenMeta:
    return TokenMeta("f" * 64, vocab_size, 0, 1, 2, vocab_size - 1, "train", "s" * 64, shards)


def documents(seed: int, n: int = 30, vocab_size: int = 500) -> list[StoredTokens]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40, n)
    return [StoredTokens(rng.integers(0, vocab_size, k), rng.random(k) < 0.5) for k in lengths]


def write(path: Path, shards: list[list[StoredTokens]], vocab_size: int = 500) -> TokenMeta:
    path.mkdir(exist_ok=True)
    made = meta(len(shards), vocab_size)
    write_meta(path, made)
    for number, shard in enumerate(shards):
        enter(path, number, write_arrays(shard_path(path, number), made, shard, empty=number))
    return made


@pytest.mark.parametrize("vocab_size", [500, 70_000])
def test_every_piece_comes_back(tmp_path: Path, vocab_size: int) -> None:
    shards = [documents(1, 30, vocab_size), [], documents(2, 17, vocab_size)]
    made = write(tmp_path, shards, vocab_size)
    store, wanted = TokenStore(tmp_path), shards[0] + shards[2]
    assert (store.documents, store.empty, store.fingerprint) == (47, 3, made.tokenizer)
    assert store.lengths.dtype == np.int32 and store.lengths.tolist() == [len(one.ids) for one in wanted]
    assert store.tokens == store.lengths.sum() and store.meta == made and not store.verify()
    width = {500: 2, 70_000: 4}[vocab_size]
    size = 8 * 30 + width * sum(store.lengths[:30]) + -(-sum(store.lengths[:30]) // 8)
    assert (tmp_path / "shard-00000.bin").stat().st_size == size
    for number, one in enumerate(wanted):
        whole = store.read(number)
        assert whole.ids.dtype == np.int64 and whole.word_start.dtype == np.bool_
        for begin, end in ((0, len(one.ids)), (len(one.ids) // 3, len(one.ids) // 2), (1, len(one.ids))):
            found = store.read(number, begin, end)
            assert found.ids.tolist() == one.ids[begin:end].tolist() == whole.ids[begin:end].tolist()
            assert found.word_start.tolist() == one.word_start[begin:end].tolist()


def test_a_store_of_nothing(tmp_path: Path) -> None:
    write(tmp_path, [[]])
    store = TokenStore(tmp_path)
    assert (store.documents, store.tokens, len(store.lengths)) == (0, 0, 0)


def test_another_tokenizer(tmp_path: Path) -> None:
    write(tmp_path, [documents(1)])
    TokenStore(tmp_path).require_tokenizer("f" * 64)
    with pytest.raises(UserError, match="another tokenizer .f{12}..., not e{12}"):
        TokenStore(tmp_path).require_tokenizer("e" * 64)


def edit(file: Path, **changes: Any) -> None:
    value = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({key: one for key, one in value.items() if one != "gone"}))


MANIFESTS = [
    ({"schema": 9}, "schema is 9, this version reads 1"), ({"tokenizer": "gone"}, "tokenizer is missing"),
    ({"vocab_size": "many", "mask": -1}, "vocab_size is 'many', a number from 0 up is wanted; mask is -1"),
    ({"split": 5}, "split is 5, a text"), ({"shards": True}, "shards is True"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), MANIFESTS)
def test_manifests_that_are_none(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write(tmp_path, [documents(1)])
    edit(tmp_path / "tokens.json", **changes)
    with pytest.raises(UserError, match=f"{tmp_path}/tokens.json: .*{message}"):
        TokenStore(tmp_path)


def test_no_store_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no token store .tokens.json is missing.; .*tools/prepare.py tokens"):
        TokenStore(tmp_path)
    (tmp_path / "tokens.json").write_text("[1]")
    with pytest.raises(UserError, match="schema is None"):
        TokenStore(tmp_path)


def test_damaged_shards_are_all_named(tmp_path: Path) -> None:
    write(tmp_path, [documents(number) for number in range(5)])
    data = [shard_path(tmp_path, number).with_suffix(".bin") for number in range(5)]
    data[0].unlink()
    data[1].write_bytes(data[1].read_bytes()[:-10])
    shard_path(tmp_path, 2).unlink()
    edit(shard_path(tmp_path, 3), tokens=7)
    with pytest.raises(UserError) as fault:
        TokenStore(tmp_path)
    said = str(fault.value)
    assert "1 of its 5 shards can be read; run the same tools/prepare.py tokens again" in said
    for part in (f"{data[0]} is missing", f"{data[1]} is cut or grown: ", "shard-00002.json is missing",
                 "but 30 documents of 7 tokens make"):  # fmt: skip
        assert part in said
    shard_path(tmp_path, 2).write_text('{"documents": 3')
    with pytest.raises(UserError, match="shard-00002.json: line 1 column .* is not JSON"):
        TokenStore(tmp_path)
    shard_path(tmp_path, 2).write_text('{"documents": -3}')
    with pytest.raises(UserError, match="shard-00002.json: documents is -3, .*; tokens is missing; .* is missing"):
        TokenStore(tmp_path)


def test_bits_that_were_turned(tmp_path: Path) -> None:
    write(tmp_path, [documents(0), documents(1)])
    data = bytearray((tmp_path / "shard-00001.bin").read_bytes())
    data[8 * 30 + 1] = 0xFF   # the high byte of the first id
    (tmp_path / "shard-00001.bin").write_bytes(data)
    store = TokenStore(tmp_path)
    assert [fault.split(":")[0] for fault in store.verify()] == [f"{tmp_path}/shard-00001.bin is damaged"]
    with pytest.raises(UserError, match="shard-00001.bin is damaged: token id 65.* in a vocabulary of 500; remove it"):
        store.read(30)
    data[:8] = b"\0" * 8   # a document that ends where it begins
    (tmp_path / "shard-00001.bin").write_bytes(data)
    with pytest.raises(UserError, match="shard-00001.bin is damaged: the ends of its documents do not fit"):
        TokenStore(tmp_path)
