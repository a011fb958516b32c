"""Byte-level BPE behind one interface: the released vocabulary, or one trained on the user's own texts.

A row number of the vocabulary is the token's id from the start: the library is given the pieces
under our ids, so nothing is translated while texts are encoded.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from unimo_paddle import files
from unimo_paddle.data.vocabulary import SPECIAL, Vocabulary, read_released, read_tokenizer_json
from unimo_paddle.errors import UserError

TOKENIZER_FILE = "tokenizer.json"
SETTINGS_FILE = "tokenizer_config.json"
BYTES = 256
# One piece per byte and the five special tokens: below that some text could not be written at all.
SMALLEST_VOCABULARY = BYTES + len(SPECIAL)
_WHITESPACE = b" \t\n\r\x0b\x0c"


@dataclass(frozen=True)
class Tokens:
    """One text without special tokens.

    ids: int64 [n].  word_start: bool [n], true where a token begins a word: the first one, and each that
    begins with whitespace (spec/release.md section 10).
    """

    ids: NDArray[np.int64]
    word_start: NDArray[np.bool_]


class Tokenizer:
    """Turns texts into ids and back.

    cls, pad, sep, unk, mask: ids of the special tokens.  opens_word, is_text: bool [V], of each token: whether it
    begins with whitespace, and whether it stands for any text at all.  lowercase: whether texts are lower-cased first;
    when it is off, `decode(encode)` gives every text back exactly.
    """

    def __init__(self, vocabulary: Vocabulary, lowercase: bool) -> None:
        self.lowercase = lowercase
        self.vocab_size = len(vocabulary.pieces)
        self.cls, self.pad, self.sep, self.unk = (vocabulary.pieces[name] for name in SPECIAL[:4])
        self.mask = vocabulary.pieces["[MASK]"]
        self._vocabulary = vocabulary
        self._core = _core(vocabulary, lowercase)
        self.opens_word, self.is_text = _piece_tables(vocabulary)

    def encode_batch(self, texts: Sequence[str]) -> list[Tokens]:
        """Encode texts on all cores, without special tokens; a text such as "[MASK]" is ordinary text.

        Raises UserError naming the first text that holds half a surrogate pair, which no UTF-8 can express.
        """
        texts = list(texts)
        try:
            encoded = self._core.encode_batch(texts, add_special_tokens=False)
        except TypeError:
            _refuse_surrogates(texts)
            raise
        return [self.tokens(np.array(one.ids, np.int64)) for one in encoded]

    def decode(self, ids: Iterable[int]) -> str:
        """Give the text of ids; special tokens are left out, bytes that are no UTF-8 become U+FFFD."""
        row = np.fromiter(ids, np.int64)
        assert row.size == 0 or 0 <= row.min() <= row.max() < self.vocab_size, f"ids outside the vocabulary: {row}"
        return self._core.decode(row[self.is_text[row]].tolist(), skip_special_tokens=False)

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything that ids depend on: a model fits this tokenizer and no other."""
        return hashlib.sha256(f"{self.lowercase} {self._core.to_str()}".encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json, the visible `lowercase`, for `load_tokenizer`.

        Raises UserError when the folder holds another tokenizer: a model may have been trained on its ids.
        """
        text = self._core.to_str(pretty=True) + "\n"
        if (folder / TOKENIZER_FILE).is_file() and files.read_text(folder / TOKENIZER_FILE) != text:
            raise UserError(f"{folder} holds another tokenizer; name another folder, or remove it")
        files.write_json(folder / SETTINGS_FILE, {"lowercase": self.lowercase})
        with files.atomic_write(folder / TOKENIZER_FILE, "w") as stream:
            stream.write(text)

    def tokens(self, ids: NDArray[np.int64]) -> Tokens:
        """Return a text that is given as ids, int64 [n], all of them below vocab_size."""
        word_start = self.opens_word[ids]
        word_start[:1] = True
        return Tokens(ids, word_start)


def load_tokenizer(path: Path, lowercase: bool | None = None) -> Tokenizer:
    """Load a folder that holds tokenizer.json, or the released vocab.txt, encoder.json and vocab.bpe.

    lowercase: None takes the folder's tokenizer_config.json, and False when that does not say.
    Raises UserError naming file and line or token when a file is absent, cut short or contradicts another.
    """
    is_trained = (path / TOKENIZER_FILE).exists()
    vocabulary = read_tokenizer_json(path / TOKENIZER_FILE) if is_trained else read_released(path)
    return Tokenizer(vocabulary, _read_lowercase(path / SETTINGS_FILE) if lowercase is None else lowercase)


def train_tokenizer(texts: Iterable[str], vocab_size: int, lowercase: bool) -> Tokenizer:
    """Learn a byte-level BPE vocabulary; the same texts give the same vocabulary.

    vocab_size counts the five special tokens; few texts may support fewer tokens, and the tokenizer's own
    `vocab_size` tells.  Raises UserError when vocab_size cannot hold every byte or there is no text.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise UserError(
            f"a vocabulary of {vocab_size} tokens cannot hold all {BYTES} bytes and {len(SPECIAL)} special "
            f"tokens; ask for at least {SMALLEST_VOCABULARY}"
        )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1,  # [MASK] comes last, as in the released vocabulary
        special_tokens=list(SPECIAL[:4]),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core = _empty_core(lowercase)
    core.train_from_iterator(_checked(texts), trainer)
    return Tokenizer(_with_mask(core), lowercase)


def _with_mask(core: tokenizers.Tokenizer) -> Vocabulary:
    model = json.loads(core.to_str())["model"]
    pieces = {**model["vocab"], "[MASK]": len(model["vocab"])}
    return Vocabulary(pieces, [(left, right) for left, right in model["merges"]])


def _checked(texts: Iterable[str]) -> Iterator[str]:
    is_empty = True
    for number, text in enumerate(texts):
        is_empty = is_empty and not text
        _check_surrogates(text, number)
        yield text
    if is_empty:
        raise UserError("there is no text to learn a vocabulary from; check the corpus and its split")


def _refuse_surrogates(texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        assert isinstance(text, str), f"text {number} is a {type(text).__name__}"
        _check_surrogates(text, number)


def _check_surrogates(text: str, number: int) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise UserError(
            f"text {number} holds half a surrogate pair, {text[fault.start]!r}, at character {fault.start}; "
            "it was decoded wrongly where it came from: repair or drop it"
        ) from fault


def _read_lowercase(path: Path) -> bool:
    if not path.exists():
        return False
    settings = files.read_json(path)
    value = settings.get("lowercase", False) if isinstance(settings, dict) else settings
    if not isinstance(value, bool):
        raise UserError(f'{path}: "lowercase" is {value!r}; write true or false')
    return value


def _empty_core(lowercase: bool) -> tokenizers.Tokenizer:
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    if lowercase:
        core.normalizer = normalizers.Lowercase()
    return core


def _core(vocabulary: Vocabulary, lowercase: bool) -> tokenizers.Tokenizer:
    core = _empty_core(lowercase)
    core.model = models.BPE(vocabulary.pieces, vocabulary.merges)
    return core


@functools.cache
def _byte_of() -> dict[str, int]:
    """Tell which byte each of the 256 printable characters of byte-level BPE stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(BYTES) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(BYTES + i): byte for i, byte in enumerate(others)}


def _piece_tables(vocabulary: Vocabulary) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    opens_word = np.zeros(len(vocabulary.pieces), np.bool_)
    is_text = np.zeros(len(vocabulary.pieces), np.bool_)
    byte_of = _byte_of()
    spoken = set(byte_of) | {left + right for left, right in vocabulary.merges}
    for piece, index in vocabulary.pieces.items():
        is_text[index] = piece in spoken
        opens_word[index] = piece in spoken and byte_of[piece[0]] in _WHITESPACE
    return opens_word, is_text
