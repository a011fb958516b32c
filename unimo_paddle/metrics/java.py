"""METEOR and SPICE: Java programs that pycocoevalcap carries. METEOR's statistics are summed here, for its interval."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from unimo_paddle.errors import UserError
from unimo_paddle.metrics.bootstrap import Rows, divided
from unimo_paddle.metrics.ptb import tokens, tokens_with_marks
from unimo_paddle.metrics.scored import Prediction, Truth, references, texts

# METEOR 1.5's parameters for English (-l en): of exact, stem, synonym and paraphrase matches, and of their combination.
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_STATISTICS = 23
_METEOR, _SPICE = "meteor/meteor-1.5.jar", "spice/spice-1.0.jar"
_SPICE_PARSER = ("spice/lib/stanford-corenlp-3.6.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar")


def no_meteor() -> str | None:
    """Say why METEOR cannot be computed here, or None when it can."""
    return _missing(_METEOR)


def no_spice() -> str | None:
    """Say why SPICE cannot be computed here, or None when it can."""
    return _missing(_SPICE, *_SPICE_PARSER)


def meteor_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 23]: METEOR 1.5's statistics of each example against its best reference."""
    return _meteor(tokens, predictions, truths)


def meteor_rows_with_marks(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return the same of tokens with punctuation."""
    return _meteor(tokens_with_marks, predictions, truths)


def meteor(rows: Rows, weights: Rows) -> Rows:
    """Return float64 [R]: METEOR of the summed statistics, in percent.

    Layout of a row: length, reference length, function words of either; for each of four kinds of match: content words
    of text and reference, function words of text and reference; chunks, words matched in text and in reference.
    """
    sums = weights @ rows
    lengths, functions = sums[:, 0:2], sums[:, 2:4]
    content, function = (sums[:, 4:20].reshape(-1, 4, 4)[:, :, side : side + 2] for side in (0, 2))
    matched = _WEIGHTS @ (_DELTA * content + (1 - _DELTA) * function)
    there = _DELTA * (lengths - functions) + (1 - _DELTA) * functions
    precision, recall = divided(matched, there).T
    mean = divided(precision * recall, _ALPHA * precision + (1 - _ALPHA) * recall)
    fragments = divided(sums[:, 20], sums[:, 21:23].mean(axis=1))
    return 100 * mean * (1 - _GAMMA * fragments**_BETA)


def spice_rows(predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    """Return float64 [N, 1]: SPICE's F1 in [0, 1]; a caption without any proposition counts 0."""
    pairs = zip(texts(predictions), references(truths), strict=True)
    asked = [{"image_id": place, "test": guess, "refs": list(right)} for place, (guess, right) in enumerate(pairs)]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.json").write_text(json.dumps(asked))
        cache = Path(folder) / "cache"
        cache.mkdir()
        words = [f"{folder}/in.json", "-cache", str(cache), "-out", f"{folder}/out.json", "-subset", "-silent"]
        _run(["java", "-jar", "-Xmx8G", Path(_SPICE).name, *words], _SPICE, "")
        told = json.loads((Path(folder) / "out.json").read_text())
    by_place = {int(one["image_id"]): float(one["scores"]["All"]["f"]) for one in told}
    return np.nan_to_num(np.array([[by_place[place]] for place in range(len(asked))], np.float64))


def _meteor(tokenise: Callable[[str], list[str]], predictions: Sequence[Prediction], truths: Sequence[Truth]) -> Rows:
    pairs = list(zip(texts(predictions), references(truths), strict=True))
    lines = [" ||| ".join(("SCORE", *(_line(tokenise(one)) for one in (*right, guess)))) for guess, right in pairs]
    words = ["java", "-jar", "-Xmx2G", Path(_METEOR).name, "-", "-", "-stdio", "-l", "en", "-norm"]
    told = _run(words, _METEOR, "\n".join(lines))
    answers = told.splitlines()
    rows = np.array([answer.split() for answer in answers if len(answer.split()) == _STATISTICS], np.float64)
    if len(rows) != len(pairs):
        raise UserError(f"METEOR answered {len(rows)} of {len(pairs)} examples; its last line: {answers[-1:]}")
    # a text that matches as a whole is not in pieces: METEOR counts no chunk of it, in sums neither
    is_whole = (rows[:, 20] == 1) & (rows[:, 21:23] == rows[:, 0:2]).all(axis=1)
    rows[is_whole, 20] = 0
    return rows


def _line(words: list[str]) -> str:
    return " ".join(words).replace("|||", "")


def _run(words: Sequence[str], jar: str, given: str) -> str:
    """Run Java in the jar's folder and return what it prints."""
    done = subprocess.run(words, input=given + "\n", capture_output=True, text=True, cwd=_package() / Path(jar).parent)
    if done.returncode:
        raise UserError(f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def _missing(*files: str) -> str | None:
    if shutil.which("java") is None:
        return "there is no java; install a Java runtime (Debian: default-jre-headless)"
    absent = [file for file in files if not (_package() / file).is_file()]
    return f"pycocoevalcap lacks {', '.join(absent)}; docs/tasks.md says where to get it" if absent else None


def _package() -> Path:
    found = find_spec("pycocoevalcap")
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else Path("pycocoevalcap")
