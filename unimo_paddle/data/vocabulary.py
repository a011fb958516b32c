"""Reads the files that define a byte-level BPE vocabulary and refuses those that contradict themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import pre_tokenizers

from unimo_paddle import files
from unimo_paddle.errors import UserError

# Ids 0 to 3, and the last id of the vocabulary, in every tokenizer (spec/release.md section 1).
SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]")
_RELEASED = ("vocab.txt", "encoder.json", "vocab.bpe")
_RELEASED_PREFIXES = ("", "unimo_en.")
_END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Vocabulary:
    """pieces: piece in byte-level letters -> id, ids 0..n-1.  merges: pairs of pieces, most frequent first."""

    pieces: dict[str, int]
    merges: list[tuple[str, str]]


def read_tokenizer_json(path: Path) -> Vocabulary:
    """Read the vocabulary of a tokenizer.json; UserError naming the file when it is no byte-level BPE of ours."""
    found = files.read_json(path)
    model = found.get("model") if isinstance(found, dict) else None
    if not isinstance(model, dict) or model.get("type") != "BPE" or not _is_byte_level(found):
        raise UserError(
            f"{path}: is no byte-level BPE tokenizer without a prefix space; train one with tools/prepare.py tokenizer"
        )
    pieces, rows = model.get("vocab"), model.get("merges")
    if not isinstance(pieces, dict) or not isinstance(rows, list):
        raise UserError(f"{path}: the model has no {'merges' if isinstance(pieces, dict) else 'vocab'}")
    merges = [_pair(row, f"{path}: merge {number}") for number, row in enumerate(rows, 1)]
    vocabulary = Vocabulary(pieces, merges)
    _check_ids(pieces, str(path))
    _check_merges(vocabulary.pieces, merges, str(path), str(path))
    _check_special(pieces, str(path))
    return vocabulary


def read_released(folder: Path) -> Vocabulary:
    """Read vocab.txt, encoder.json and vocab.bpe of the release (spec/release.md section 1).

    Each may carry the prefix "unimo_en.".  vocab.txt lists the decimal ids of encoder.json in the order of
    our ids.  Raises UserError naming file and line.
    """
    vocab_path, encoder_path, merges_path = (_find(folder, name) for name in _RELEASED)
    encoder = files.read_json(encoder_path)
    if not isinstance(encoder, dict):
        raise UserError(f"{encoder_path}: holds a {type(encoder).__name__}, expected an object of piece: id")
    _check_ids(encoder, str(encoder_path))
    merges = _read_merges(merges_path)
    _check_merges(encoder, merges, str(encoder_path), str(merges_path))
    rows = _read_rows(vocab_path)
    pieces = _join(encoder, rows, vocab_path, encoder_path)
    _check_special(pieces, str(vocab_path))
    return Vocabulary(pieces, merges)


def released_rows(folder: Path) -> dict[str, int]:
    """Return token -> id of the released vocab.txt; all but the special tokens are ids of encoder.json in decimals."""
    return _read_rows(_find(folder, _RELEASED[0]))


def _find(folder: Path, name: str) -> Path:
    for prefix in _RELEASED_PREFIXES:
        if (folder / f"{prefix}{name}").is_file():
            return folder / f"{prefix}{name}"
    raise UserError(
        f"{folder}: has neither tokenizer.json nor {name}; a tokenizer's folder holds tokenizer.json, or the "
        f"released {', '.join(_RELEASED)}"
    )


def _read_rows(path: Path) -> dict[str, int]:
    """Read lines "token" or "token<TAB>id"; like the release, stop at a line of more than two fields."""
    rows: dict[str, int] = {}
    line_of: dict[int, int] = {}
    for number, line in enumerate(files.read_text(path).rstrip("\n").split("\n"), 1):
        fields = line.strip().split("\t")
        if len(fields) > 2:
            break
        if not fields[0] or not (len(fields) == 1 or fields[1].isdecimal()):
            raise UserError(f"{path}:{number}: {line!r} is neither a token nor a token, a tab and its id")
        index = int(fields[1]) if len(fields) == 2 else number - 1
        if fields[0] in rows or index in line_of:
            first = line_of.get(rows.get(fields[0], index))
            raise UserError(f"{path}:{number}: token {fields[0]!r} or id {index} stands in line {first} already")
        rows[fields[0]] = index
        line_of[index] = number
    return rows


def _read_merges(path: Path) -> list[tuple[str, str]]:
    lines = files.read_text(path).rstrip("\n").split("\n")
    start = 1 if lines[0].startswith("#version") else 0
    return [_pair(line, f"{path}:{number}") for number, line in enumerate(lines[start:], start + 1)]


def _pair(row: Any, where: str) -> tuple[str, str]:
    parts: Sequence[Any] = row.rstrip("\r").split(" ") if isinstance(row, str) else row
    is_pair = isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) and part for part in parts)
    if not is_pair:
        raise UserError(f"{where}: {row!r} is no pair of pieces with one space between")
    return parts[0], parts[1]


def _join(encoder: dict[str, int], rows: dict[str, int], vocab_path: Path, encoder_path: Path) -> dict[str, int]:
    pieces = {}
    for piece, number in encoder.items():
        index = rows.pop(str(number), None)
        if index is None:
            raise UserError(
                f"{vocab_path}: has no line for {number}, the piece {piece!r} of {encoder_path}; the file is cut "
                "short or belongs to another vocabulary"
            )
        pieces[piece] = index
    # What is left is special; a number here would be an id that encoder.json lacks.
    strays = [token for token in rows if token.isdecimal()]
    if strays:
        raise UserError(f"{vocab_path}: token {strays[0]} is no id of {encoder_path}, which has {len(encoder)}")
    pieces |= rows
    _check_ids(pieces, str(vocab_path))
    return pieces


def _check_ids(pieces: dict[str, Any], where: str) -> None:
    """Refuse ids that are not 0..n-1, each once."""
    piece_of: dict[int, str] = {}
    for piece, index in pieces.items():
        if type(index) is not int or not 0 <= index < len(pieces):
            raise UserError(f"{where}: piece {piece!r} has id {index!r}, expected 0 to {len(pieces) - 1}, each once")
        if index in piece_of:
            raise UserError(f"{where}: id {index} belongs to {piece_of[index]!r} and to {piece!r}")
        piece_of[index] = piece


def _check_merges(pieces: dict[str, int], merges: list[tuple[str, str]], pieces_at: str, merges_at: str) -> None:
    """Refuse merges that speak of unknown pieces, and pieces that no merge makes."""
    made = set(pre_tokenizers.ByteLevel.alphabet())
    missing = made - pieces.keys()
    if missing:
        raise UserError(f"{pieces_at}: {len(missing)} of the 256 single bytes have no id, such as {min(missing)!r}")
    for number, (left, right) in enumerate(merges, 1):
        if left not in made or right not in made or left + right not in pieces:
            raise UserError(f"{merges_at}: merge {number}, {left!r} + {right!r}, speaks of a piece that has no id yet")
        made.add(left + right)
    unmade = [piece for piece in pieces if piece not in made and not _is_marker(piece)]
    if unmade:
        raise UserError(
            f"{merges_at}: its {len(merges)} merges make {len(unmade)} of the {len(pieces)} pieces of {pieces_at} "
            f"not, such as {unmade[0]!r}; the file is cut short"
        )


def _is_marker(piece: str) -> bool:
    return piece in SPECIAL or piece == _END_OF_TEXT


def _check_special(pieces: dict[str, int], where: str) -> None:
    expected = (0, 1, 2, 3, len(pieces) - 1)
    faults = [
        f"{name} {pieces.get(name, 'is absent')}, expected {index}"
        for name, index in zip(SPECIAL, expected, strict=True)
        if pieces.get(name) != index
    ]
    if faults:
        raise UserError(f"{where}: special tokens stand elsewhere: {'; '.join(faults)}")


def _is_byte_level(found: dict[str, Any]) -> bool:
    step = found.get("pre_tokenizer")
    return isinstance(step, dict) and step.get("type") == "ByteLevel" and step.get("add_prefix_space") is False
