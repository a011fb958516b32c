"""A corpus's texts as a token store: each shard of texts becomes one of tokens, in parallel."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.console import progress, say
from unimo_paddle.corpus import Corpus, Records, Shard, Text
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.files import is_vacant, leftovers, lock_directory
from unimo_paddle.token_store import (
    MANIFEST,
    StoredTokens,
    TokenMeta,
    TokenShard,
    TokenStore,
    enter,
    read_meta,
    shard_fault,
    shard_path,
    write_arrays,
    write_meta,
)
from unimo_paddle.workers.crew import WORKER
from unimo_paddle.workers.engine import Engine, map_tasks

# Characters that are encoded in one go: the library holds some 150 bytes a token until it has given them all.
CHUNK = 1_000_000
# A single space between two words: the pattern that splits words gives the same on its two sides as on the whole.
_SEAM = re.compile(r"(?<=\S) (?=\S)")


@dataclass(frozen=True)
class TokenSlice:
    """One shard of a corpus's texts, to become the shard with this number of a token store."""

    corpus: Path
    texts: Shard
    store: Path
    number: int
    meta: TokenMeta

    def __str__(self) -> str:
        return f"tokens of {self.texts.file}"


@dataclass(frozen=True)
class Tokenize:
    """Makes the work on a slice, in each worker."""

    folder: Path

    def __call__(self) -> Callable[[TokenSlice], tuple[TokenSlice, TokenShard]]:
        if WORKER in os.environ:  # the workers share the cores already
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        tokenizer = load_tokenizer(self.folder)
        return lambda part: (part, _write(part, tokenizer))


def make_tokens(corpus: Path, split: str, tokenizer: Path, store: Path, engine: Engine) -> TokenStore:
    """Tokenise the texts of a split into a store, going on where a killed run stopped, and return it.

    Documents without a word are left out and counted.  Shards that were made before are kept when they are whole.
    Raises UserError when the split has no texts, the folder holds something else or the tokens of another corpus or
    tokenizer, or another process writes to it; OSError as the system gives it.
    """
    texts = Corpus(corpus).texts(split).shards
    if not texts:
        raise UserError(f"split {split!r} of {corpus} has no texts: ingest some with: tools/prepare.py ingest text")
    meta = _meta(load_tokenizer(tokenizer), split, texts)
    _require_free(store)
    store.mkdir(parents=True, exist_ok=True)
    lock = lock_directory(store)
    try:
        leftovers(store)
        _agree(store, meta)
        parts = [TokenSlice(corpus, shard, store, number, meta) for number, shard in enumerate(texts)]
        _make(parts, Tokenize(tokenizer), engine)
        made = TokenStore(store)
        write_meta(store, meta, {name: getattr(made, name) for name in ("documents", "tokens", "empty")})
    finally:
        os.close(lock)
    return made


def _meta(tokenizer: Tokenizer, split: str, texts: Sequence[Shard]) -> TokenMeta:
    source = hashlib.sha256(" ".join(shard.sha256 for shard in texts).encode()).hexdigest()
    special = {name: getattr(tokenizer, name) for name in ("vocab_size", "cls", "pad", "sep", "mask")}
    return TokenMeta(tokenizer=tokenizer.fingerprint(), split=split, source=source, shards=len(texts), **special)


def _require_free(store: Path) -> None:
    if not (store / MANIFEST).exists() and not is_vacant(store):
        raise UserError(f"{store} holds something else than a token store; name another folder or remove it")


def _agree(store: Path, meta: TokenMeta) -> None:
    """Write the manifest of a new store; UserError when the store is of another corpus or tokenizer."""
    if not (store / MANIFEST).exists():
        write_meta(store, meta)
        return
    found, wanted = asdict(read_meta(store)), asdict(meta)
    told = {"tokenizer": "the tokenizer is another", "split": "the split is {!r}", "source": "the texts are others"}
    faults = [words.format(found[name]) for name, words in told.items() if found[name] != wanted[name]]
    if faults or found != wanted:
        raise UserError(
            f"{store} holds other tokens: {'; '.join(faults) or f'{MANIFEST} was changed'}; name another folder, or "
            f"remove this one if nobody trains on it"
        )


def _make(parts: Sequence[TokenSlice], work: Tokenize, engine: Engine) -> None:
    todo = [part for part in parts if shard_fault(part.store, part.meta, part.number)]
    total, missing = (sum(part.texts.rows for part in some) for some in (parts, todo))
    made = progress(map_tasks(engine, work, todo), total, "tokens", "document", start=total - missing,
                    size=lambda done: done[0].texts.rows)  # fmt: skip
    for part, shard in made:
        enter(part.store, part.number, shard)
        if fault := shard_fault(part.store, part.meta, part.number):
            raise UserError(f"{fault}; the store's folder must be on storage that all machines share")
    if todo:
        say(f"{missing:,} documents tokenised")


def _write(part: TokenSlice, tokenizer: Tokenizer) -> TokenShard:
    texts = Records(part.corpus, [part.texts], Text).column("text")
    documents = [document for document in encode(texts, tokenizer, part.meta.kind) if len(document.ids)]
    path = shard_path(part.store, part.number)
    path.unlink(missing_ok=True)  # what it says of damaged arrays must not count for new ones
    return write_arrays(path, part.meta, documents, len(texts) - len(documents))


def encode(texts: Sequence[str], tokenizer: Tokenizer, kind: str) -> Iterator[StoredTokens]:
    """Yield each text's tokens, some texts at a time, so that whole books need little memory.

    kind: type of the ids.  A text of blanks alone has no tokens.
    """
    for group in _groups(texts):
        if len(group) == 1:
            found = [tokenizer.encode_batch([piece])[0] for piece in _cut(group[0])]
            yield _stored(np.concatenate([one.ids for one in found]), [one.word_start for one in found], kind)
        else:
            yield from (_stored(one.ids, [one.word_start], kind) for one in tokenizer.encode_batch(group))


def _stored(ids: NDArray[np.int64], word_start: Sequence[NDArray[np.bool_]], kind: str) -> StoredTokens:
    return StoredTokens(ids.astype(kind), np.concatenate(word_start))


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts, blank ones as empty, in lists of CHUNK characters; a longer one has a list of its own."""
    waiting, size = list[str](), 0
    for text in texts:
        if waiting and size + len(text) > CHUNK:
            yield waiting
            waiting, size = [], 0
        waiting.append(text if text.strip() else "")
        size += len(text)
    yield waiting


def _cut(text: str) -> list[str]:
    """Cut a long text before spaces where its tokens on both sides are those of the whole."""
    pieces, begin = [], 0
    while len(text) - begin > CHUNK and (seam := _SEAM.search(text, begin + CHUNK)):
        pieces.append(text[begin : seam.start()])
        begin = seam.start()
    return [*pieces, text[begin:]]
