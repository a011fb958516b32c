"""Back-translation by neural models: Marian's opus-mt, run by CTranslate2 on CPU or GPU.

A direction is a folder that CTranslate2's own converter writes:

    pip install ctranslate2 sentencepiece transformers torch
    ct2-transformers-converter --model Helsinki-NLP/opus-mt-en-fr --output_dir en-fr/forth \\
        --copy_files source.spm target.spm --quantization int8
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json

BEAM = 4
BATCH_TOKENS = 2048     # of the source, padding included
MOST_TOKENS = 256       # of a text, and of its translation
_FILES = ("config.json", "model.bin", "source.spm", "target.spm")
_MAKE = "ct2-transformers-converter --model MODEL --output_dir FOLDER --copy_files source.spm target.spm"


class Neural:
    """English into another language by the model of one folder and back by that of another; a name for people.

    Raises UserError that lists every file that a folder lacks. What the models say is a sentence of its own, so it
    counts as a whole or not at all.
    """

    is_fluent = True

    def __init__(self, name: str, there: Path, back: Path) -> None:
        self.name = f"neural:{name}"
        self.steps = [Model(there), Model(back)]

    def __call__(self, texts: Sequence[str]) -> list[str | None]:
        """Return each text there and back; None when it came back empty."""
        current: list[str | None] = list(texts)
        for step in self.steps:
            current = step(current)
        return current


class Model:
    """One direction; loaded at the first call, and the same batch gives the same answer (beam search, no sampling)."""

    is_fluent = True

    def __init__(self, folder: Path) -> None:
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise UserError(f"{folder} holds no translation model, {', '.join(missing)} missing; make it with: {_MAKE}")
        self._folder = folder
        self._parts: tuple[Any, Any, Any] | None = None
        settings = read_json(folder / "config.json")
        is_closed = isinstance(settings, dict) and settings.get("add_source_eos", False)
        self._end = [] if is_closed else ["</s>"]

    def __call__(self, texts: Sequence[str | None]) -> list[str | None]:
        """Return each text's best translation; None where there is no text, or none came out."""
        there = [index for index, text in enumerate(texts) if text and text.strip()]
        translator, source, target = self._load()
        lines = [" ".join((texts[index] or "").split()) for index in there]
        pieces = [row[:MOST_TOKENS - 1] + self._end for row in source.encode(lines, out_type=str)]
        made = translator.translate_batch(pieces, beam_size=BEAM, max_batch_size=BATCH_TOKENS, batch_type="tokens",
                                          max_decoding_length=MOST_TOKENS) if pieces else []
        result: list[str | None] = [None] * len(texts)
        for index, one in zip(there, made, strict=True):
            result[index] = target.decode(one.hypotheses[0]).strip() or None
        return result

    def _load(self) -> tuple[Any, Any, Any]:
        if self._parts is None:
            self._parts = _load(self._folder)
        return self._parts


def _load(folder: Path) -> tuple[Any, Any, Any]:
    try:
        import ctranslate2
        import sentencepiece
    except ImportError as error:
        raise UserError(f"neural translation needs {error.name}; pip install ctranslate2 sentencepiece") from None
    device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    try:
        pieces = [sentencepiece.SentencePieceProcessor(model_file=str(folder / name)) for name in _FILES[2:]]
        translator = ctranslate2.Translator(str(folder), device=device, inter_threads=1, intra_threads=1)
    except (RuntimeError, OSError, json.JSONDecodeError) as error:
        raise UserError(f"{folder}: a file of the model is damaged ({error}); make it anew with: {_MAKE}") from None
    return translator, pieces[0], pieces[1]
