"""A fine-tuned model on raw inputs: pictures from files, words from the command line or from JSONL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.build.answered import Answered
from unimo_paddle.build.asked import Asked, require_readable, worded
from unimo_paddle.build.seeing import Seen, detector_of, see
from unimo_paddle.build.task_sources import (
    TaskSources,
    Trained,
    checkpoint_of,
    decoding_of,
    kept_in,
    load_task_model,
    open_sources,
)
from unimo_paddle.config import FinetuneRun, Run, load_run, run_from_directory
from unimo_paddle.config.save import SAVED
from unimo_paddle.console import progress
from unimo_paddle.data.task_encode import Encoded
from unimo_paddle.data.task_stream import inputs_of
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.errors import UserError
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.records import Text
from unimo_paddle.task_spec import Match
from unimo_paddle.tasks.answers import Answering, Said


@dataclass(frozen=True)
class Loaded:
    """A fine-tuned model with all that it answers from. asked: the inputs, in the words that it knows; seen: their
    images by name (Asked.image)."""

    run: FinetuneRun
    sources: TaskSources
    model: UnimoForTask
    asked: tuple[Asked, ...]
    seen: dict[str, Seen]


def run_of(weights: Path, overrides: Sequence[str]) -> FinetuneRun:
    """Return the run that weights are of: the settings are kept in its folder. weights: the folder of a run, or one of
    its checkpoints. Raises UserError when it is neither, or the run is not of a task."""
    if not weights.is_dir():
        raise UserError(f"--weights {weights} does not exist; name the folder of a fine-tuning run, or a checkpoint")
    places = weights, weights.resolve().parent.parent
    folder = next((place for place in places if (place / SAVED).is_file()), None)
    if folder is None:
        raise UserError(
            f"--weights {weights} holds no {SAVED}, and is no checkpoint in a run's folder that does; name the folder "
            f"of a fine-tuning run"
        )
    run: Run = load_run(folder / SAVED, overrides) if overrides else run_from_directory(folder)
    if not isinstance(run, FinetuneRun):
        raise UserError(f"{weights} is of a run of kind {run.kind}, which answers nothing; fine-tune it on a task")
    return run


def load(run: FinetuneRun, weights: Path, asked: Sequence[Asked], detector: Path | None) -> Loaded:
    """Load the model and look at the images. detector: left out, it is the run's own.

    Raises UserError for inputs that the task cannot read, images that are nowhere, weights or a detector that do not
    fit.
    """
    wording = kept_in(weights)
    sources = open_sources(run, wording.labels, store_is_optional=True)
    require_readable(asked, sources.encoder, wording)
    checked = detector_of(run, detector, asked, checkpoint_of(weights))
    model = load_task_model(run, weights, sources)
    seen = see(run, sources, checked, asked)
    return Loaded(run, sources, model, tuple(_tagged(worded(asked, wording), seen, sources, wording)), seen)


def answers(loaded: Loaded) -> list[Answered]:
    """Answer each input; of a task that matches, rank all images for each text and all texts for each image, where
    there are several."""
    return _match(loaded) if isinstance(loaded.sources.task.head, Match) else _predict(loaded)


def encoded(loaded: Loaded, one: Asked) -> Encoded:
    """Return what the model reads of one input."""
    image = loaded.seen[one.image].row if one.image else None
    return loaded.sources.encoder.prompt(one.record, image, one.place)


def _predict(loaded: Loaded) -> list[Answered]:
    sources, size = loaded.sources, loaded.run.evaluation.batch
    decoding, seed = decoding_of(loaded.run), loaded.run.train.seed
    answering = Answering(loaded.model, sources.task, sources.tokenizer, sources.labels, decoding, seed=seed)
    examples, said = [encoded(loaded, one) for one in loaded.asked], list[Said]()
    starts = range(0, len(examples), size)
    for start in progress(starts, len(starts), "answering", "batch"):
        said += answering(inputs_of(examples[start : start + size]))
    return [
        Answered(one, one.image, _shown(one, sources.tokenizer), answer, loaded.seen.get(one.image or ""))
        for one, answer in zip(loaded.asked, said, strict=True)
    ]


def _match(loaded: Loaded) -> list[Answered]:
    """Score each text with each image, jointly."""
    encoder, tokenizer = loaded.sources.encoder, loaded.sources.tokenizer
    by_image = {one.image: one for one in loaded.asked if one.image is not None}
    by_text = {one.record.text: one for one in loaded.asked if one.record.text is not None}
    if not by_image or not by_text:
        lacking = "text" if by_image else "image"
        raise UserError(f"{loaded.sources.task.name} matches images and texts, but no {lacking} is given")
    rows = [loaded.seen[name].row for name in by_image]
    texts = [encoder.text(one.record, one.place) for one in by_text.values()]
    scores = PairScorer(loaded.model, rows, texts, loaded.run.evaluation.batch).joint()
    names, words = list(by_image), [_words(text, tokenizer) for text in by_text]
    found = []
    if len(names) > 1 or len(words) == 1:
        for one, text, row in zip(by_text.values(), words, scores, strict=True):
            said = _ranking(names, row)
            found.append(Answered(one, None, text, said, loaded.seen[str(said.answer)]))
    if len(words) > 1:
        for (name, one), column in zip(by_image.items(), scores.T, strict=True):
            best = replace(one, record=replace(one.record, text=list(by_text)[int(column.argmax())]))
            found.append(Answered(best, name, None, _ranking(words, column), loaded.seen[name]))
    return found


def _ranking(names: Sequence[str], scores: np.ndarray[Any, Any]) -> Said:
    order = np.argsort(-scores, kind="stable")
    ranked = tuple((names[place], float(scores[place])) for place in order)
    return Said(ranked[0][0], ranked)


def _tagged(asked: Sequence[Asked], seen: dict[str, Seen], sources: TaskSources, wording: Trained) -> Iterator[Asked]:
    """Yield the inputs, with the names of the objects seen where the model was trained on such and none are given."""
    for one in asked:
        wants = wording.has_tags and "tags" in sources.task.reads and one.record.tags is None and one.image
        tags = seen[one.image].tags if wants and one.image else None
        tags = tags.lower() if tags and wording.lowercase else tags
        yield replace(one, record=replace(one.record, tags=tags)) if tags else one


def _shown(one: Asked, tokenizer: Tokenizer) -> str | None:
    """Return an input's words in one line."""
    record = one.record
    given = [text for text in (record.text, record.text_b, *record.turns) if text is not None]
    return " | ".join(_words(text, tokenizer) for text in given) or None


def _words(text: Text, tokenizer: Tokenizer) -> str:
    return text if isinstance(text, str) else tokenizer.decode(text).strip()
