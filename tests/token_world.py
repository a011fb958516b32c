"""Corpora of texts and token stores, small enough to be known by heart."""

from pathlib import Path

from unimo_paddle.corpus import CorpusWriter, Text
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.prepare.tokens import make_tokens
from unimo_paddle.token_store import TokenStore
from unimo_paddle.workers.engine import Engine

HERE = Engine("local", 1)
SENTENCE = "a dog runs over the green field while two cats sleep near an old house and nobody looks at them"
WORDS = SENTENCE.split()


def text(number: int) -> str:
    """Return document `number`, of 1 to 40 words."""
    return " ".join(WORDS[(number + 5 * place) % len(WORDS)] for place in range(1 + number * 7 % 40))


def write_texts(path: Path, texts: list[str], rows_per_shard: int = 20, source: str = "texts") -> Path:
    with CorpusWriter(path, source, "1", rows_per_shard=rows_per_shard) as writer:
        for number, one in enumerate(texts):
            writer.add("train", Text(f"{source}{number}", one))
    return path


def write_tokenizer(path: Path, size: int = 300) -> Tokenizer:
    made = train_tokenizer([text(number) for number in range(40)], size, lowercase=False)
    made.save(path)
    return made


def write_store(root: Path, texts: list[str]) -> tuple[TokenStore, Tokenizer]:
    """Write a corpus, a tokenizer and a store of these texts below `root`."""
    tokenizer = write_tokenizer(root / "tokenizer")
    corpus = write_texts(root / "texts", texts)
    return make_tokens(corpus, "train", root / "tokenizer", root / "tokens", HERE), tokenizer
