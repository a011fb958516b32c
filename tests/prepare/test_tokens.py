"""Texts to tokens: the ids of the tokenizer, whoever works and whoever dies."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.mini_world import call, refused
from tests.token_world import HERE, text, write_texts, write_tokenizer
from unimo_paddle import files
from unimo_paddle.corpus import CorpusWriter, Pair
from unimo_paddle.data.tokenizer import load_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.prepare import tokens
from unimo_paddle.prepare.tokens import encode, make_tokens
from unimo_paddle.token_store import TokenStore
from unimo_paddle.workers.engine import Engine

TEXTS = [text(number) for number in range(50)] + ["", "  \n", "half-way häuser 東京 \u00a0 don't"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus of 53 texts in three shards, and a tokenizer."""
    write_tokenizer(tmp_path / "tokenizer")
    write_texts(tmp_path / "texts", TEXTS)
    return tmp_path


def make(root: Path, engine: Engine = HERE, name: str = "tokens") -> TokenStore:
    return make_tokens(root / "texts", "train", root / "tokenizer", root / name, engine)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(path.iterdir())}


def test_ids_are_those_of_the_tokenizer(root: Path) -> None:
    store = make(root)
    wanted = load_tokenizer(root / "tokenizer").encode_batch([one for one in TEXTS if one.strip()])
    assert (store.documents, store.empty) == (51, 2)
    for number, one in enumerate(wanted):
        found = store.read(number)
        assert found.ids.tolist() == one.ids.tolist() and found.word_start.tolist() == one.word_start.tolist()
    assert sorted(contents(root / "tokens")) == sorted(
        ["tokens.json", *(f"shard-0000{n}.{end}" for n in range(3) for end in ("bin", "json"))]
    )
    assert '"documents": 51' in (root / "tokens" / "tokens.json").read_text()


def test_two_workers_write_the_same(root: Path) -> None:
    make(root)
    make(root, Engine("local", 2), "other")
    assert contents(root / "tokens") == contents(root / "other")


def test_long_texts_are_cut_where_it_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    blanks = ["\n", "\t", " ", "  ", "\u00a0", "\x1c", "\u2003"]
    bits = [*blanks, "dog", "s", "'s", "12", ".", "é", "東", "don't", " , "]
    long = ["".join(rng.choice(bits, 400)) for _ in range(20)] + ["x" * 300, "a" + " " * 200 + "b"]
    tokenizer = load_tokenizer(root / "tokenizer")
    wanted = tokenizer.encode_batch(long)
    monkeypatch.setattr(tokens, "CHUNK", 60)
    assert max(len(tokens._cut(one)) for one in long) > 5
    for found, one in zip(encode(long, tokenizer, "<u2"), wanted, strict=True):
        assert found.ids.tolist() == one.ids.tolist() and found.word_start.tolist() == one.word_start.tolist()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.prepare.test_tokens import make
from unimo_paddle.prepare import tokens
real = tokens.enter
def enter(store, number, shard):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    real(store, number, shard)
tokens.enter = enter
make(Path(sys.argv[1]))
"""


def test_killed_and_gone_on(root: Path) -> None:
    make(root, name="whole")
    done = subprocess.run([sys.executable, "-c", KILLED, str(root)], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(contents(root / "tokens")) == ["shard-00000.bin", "shard-00000.json", "shard-00001.bin",
                                                 "tokens.json"]  # fmt: skip
    with pytest.raises(UserError, match="is not whole: 1 of its 3 shards .* run the same tools/prepare.py tokens"):
        TokenStore(root / "tokens")
    kept = (root / "tokens" / "shard-00000.bin").stat().st_mtime_ns
    (root / "tokens" / ".tmp-shard-00001.bin-x").write_bytes(b"half a fi")
    make(root)
    assert (root / "tokens" / "shard-00000.bin").stat().st_mtime_ns == kept
    assert contents(root / "tokens") == contents(root / "whole")


def test_damaged_shards_are_made_anew(root: Path) -> None:
    make(root)
    whole = contents(root / "tokens")
    data = root / "tokens" / "shard-00002.bin"
    data.write_bytes(data.read_bytes()[:-1])
    (root / "tokens" / "shard-00001.bin").unlink()
    make(root)
    assert contents(root / "tokens") == whole


def test_a_full_disk_leaves_what_is_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        if list((root / "tokens").glob("shard-00000.json")):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as fault:
            make(root)
    assert fault.value.filename == str(root / "tokens" / "shard-00000.json")
    assert not list((root / "tokens").glob(".tmp-*"))
    assert make(root).documents == 51


def test_one_writer_at_a_time(root: Path) -> None:
    make(root)
    lock = files.lock_directory(root / "tokens")
    with pytest.raises(UserError, match=f"another process is writing to {root}/tokens"):
        make(root)
    os.close(lock)


def test_a_store_of_other_texts_or_of_another_tokenizer(root: Path) -> None:
    make(root)
    before = contents(root / "tokens")
    write_tokenizer(root / "tokenizer2", 290)
    with pytest.raises(UserError, match="holds other tokens: the tokenizer is another; name another folder"):
        make_tokens(root / "texts", "train", root / "tokenizer2", root / "tokens", HERE)
    write_texts(root / "texts", ["one more"], source="more")
    with pytest.raises(UserError, match="holds other tokens: the texts are others"):
        make(root)
    assert contents(root / "tokens") == before


def test_the_command_and_what_it_refuses(root: Path) -> None:
    words = ["prepare", "tokens", "--corpus", str(root / "texts"), "--tokenizer", str(root / "tokenizer"), "--out"]
    for is_new in (True, False):
        done = call([*words, str(root / "tokens"), "--workers", "1"])
        assert done.status == 0 and ("53 documents tokenised" in done.out) == is_new, done
        assert f"{root}/tokens: 51 documents, " in done.out and "; 2 documents without a word" in done.out
    refused(call([*words, str(root / "texts")]), f"{root}/texts holds something else than a token store")
    refused(call([*words, str(root / "new"), "--split", "dev"]), "no split 'dev'; it has train")
    refused(call([*words[:5], str(root), "--out", str(root / "new")]), "a tokenizer's folder holds tokenizer.json")
    assert not (root / "new").exists()


def test_a_split_without_texts(root: Path) -> None:
    with CorpusWriter(root / "pairs", "pairs", "1") as writer:
        writer.add("train", Pair("p", "i", "a dog"))
    with pytest.raises(UserError, match="split 'train' of .*/pairs has no texts: ingest some with"):
        make_tokens(root / "pairs", "train", root / "tokenizer", root / "tokens", HERE)
    assert not (root / "tokens").exists()
