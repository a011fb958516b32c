"""The released archives of cnndm, gigaword, squad_qg and coqa: tables whose fields are token ids (release, 5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from unimo_paddle.data.vocabulary import released_rows
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.tasks.reader import Options
from unimo_paddle.prepare.tasks.sources import noted, split_files, table
from unimo_paddle.records import Record

TARGET, PASSAGE, BETWEEN_TURNS = "tgt", "knowledge", " [SEP] "
_SPLITS = {
    "train": ("train.tsv",),
    "dev": ("dev.2k.tsv", "dev.20k.tsv", "dev.tsv"),   # what the release judged by comes first
    "test": ("test.tsv",),
}


def read_seq2seq_release(source: Path, options: Options) -> Iterator[tuple[str, Record]]:
    """Column `tgt` is the target, `knowledge` a dialogue's passage; the one that is left is the source.

    The fields are GPT-2's ids in decimals; records hold the vocabulary's.  With a passage, the source is the dialogue's
    turns with " [SEP] " between.  A test split's empty targets are left out.
    Raises UserError without the released vocabulary, and for other columns.
    """
    if options.tokenizer is None:
        raise UserError("the archive holds GPT-2's token ids; name the folder of the released vocabulary: --tokenizer")
    ids = released_rows(options.tokenizer)
    for split, path in split_files(source, _SPLITS):
        for place, number, row in table(path, [TARGET], options.faults):
            names = [name for name in row if name not in (TARGET, PASSAGE)]
            if len(names) != 1:
                raise UserError(f"{path}:1: one column beside {TARGET!r} and {PASSAGE!r} is wanted, the source; there "
                                f"are {', '.join(map(repr, names)) or 'none'}")
            with noted(options.faults):
                yield split, _record(place, number, row, names[0], split, ids)


def _record(place: str, number: int, row: Mapping[str, str], source: str, split: str, ids: Mapping[str, int]) -> Record:
    target = None
    if row[TARGET].strip() or split != "test":
        target = _ids(row[TARGET], ids, f"{place}: {TARGET}")
    if PASSAGE not in row:
        return Record(id=str(number), text=_ids(row[source], ids, f"{place}: {source}"), target=target)
    turns = tuple(_ids(turn, ids, f"{place}: a turn of {source}") for turn in row[source].split(BETWEEN_TURNS))
    return Record(id=str(number), text=_ids(row[PASSAGE], ids, f"{place}: {PASSAGE}"), turns=turns, target=target)


def _ids(told: str, ids: Mapping[str, int], what: str) -> tuple[int, ...]:
    tokens = told.split()
    if not tokens:
        raise UserError(f"{what} is empty")
    unknown = [token for token in tokens if token not in ids]
    if unknown:
        raise UserError(f"{what} has {unknown[0]!r}, which is no token of the vocabulary; GPT-2's ids are wanted, with "
                        f"a space between")
    return tuple(ids[token] for token in tokens)
