"""What a task's run reads and the model that answers, opened and checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import paddle

from unimo_paddle.build.facts import store_checksum
from unimo_paddle.build.models import build_encoder
from unimo_paddle.config import FinetuneRun
from unimo_paddle.data.task_encode import Limits, TaskEncoder, labels_of
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer
from unimo_paddle.engine.checkpoint import read_weights, restore_model
from unimo_paddle.engine.run_directory import require_same_data
from unimo_paddle.engine.together import say_once
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.model.loading import start_from
from unimo_paddle.model.task_model import ANSWER, GENERATE, MATCH, HeadShape, UnimoForTask
from unimo_paddle.records import Record, TaskData
from unimo_paddle.regions import RegionStore
from unimo_paddle.task_spec import Answer, Classify, Decoding, Generate, Match, Regress
from unimo_paddle.tasks import TASKS, Task

TASK_FILE = "task.json"       # beside a checkpoint's weights: what they answer, and how the words look that they read
RELEASED_WIDTH = 2048         # of region features: a model for texts alone has an image side all the same
STATISTICS_IMAGES = 1000
IMAGE_SIDE = "encoder.image_projection.weight"


@dataclass(frozen=True)
class TaskSources:
    """store: of the images' regions, None for a task on texts alone; labels: of classes or answers, in order."""

    task: Task
    tokenizer: Tokenizer
    store: RegionStore | None
    encoder: TaskEncoder

    @property
    def labels(self) -> tuple[str, ...]:
        return self.encoder.labels


def task_of(run: FinetuneRun) -> Task:
    """Return the run's task; UserError with the nearest name when there is none of that name."""
    if run.task not in TASKS:
        near = get_close_matches(run.task, TASKS, 1, 0.4)
        advice = f"did you mean {near[0]}? " if near else ""
        raise UserError(f"task is {run.task}, which there is none of; {advice}there are {', '.join(TASKS)}")
    return TASKS[run.task]


def decoding_of(run: FinetuneRun) -> Decoding | None:
    """Return how the run's task generates, with what the run says otherwise; None when it generates nothing."""
    decoding = task_of(run).decoding
    return replace(decoding, **run.decoding.given()) if decoding else None  # type: ignore[arg-type]


def open_sources(run: FinetuneRun, labels: tuple[str, ...] = (), store_is_optional: bool = False) -> TaskSources:
    """Open tokenizer and regions. labels: those that the model was trained with; left out, the data say them.
    store_is_optional: a region store that is not there is left out: pictures bring their own regions."""
    task = task_of(run)
    tokenizer, store = load_tokenizer(run.data.tokenizer), None
    is_there = run.data.regions is not None and run.data.regions.is_dir()
    if task.needs_regions and (is_there or not store_is_optional):
        if run.data.regions is None:
            raise UserError(f"data.regions is missing: {task.name} reads images, so name their region store "
                            "(tools/extract.py)")
        store = RegionStore(run.data.regions)
        store.require_whole()
    data = run.data
    limits = Limits(data.max_tokens, data.max_target, data.max_tags, data.max_regions)
    return TaskSources(task, tokenizer, store, TaskEncoder(tokenizer, task, limits, labels or told_labels(run, task)))


def told_labels(run: FinetuneRun, task: Task) -> tuple[str, ...]:
    """Return the names of classes or answers: as task.json lists them, or all that the training split has."""
    if not has_labels(task):
        return ()
    data = TaskData(run.data.records)
    if data.labels:
        return data.labels
    records = data.records(run.data.train_split)
    if isinstance(task.head, Classify):
        return labels_of(records)
    if isinstance(task.head, Generate):
        return tuple(sorted({record.target for record in records if isinstance(record.target, str)}))
    return tuple(sorted({answer for record in records for answer in record.answers}))


def has_labels(task: Task) -> bool:
    """Tell whether a task answers with one of a list."""
    return isinstance(task.head, (Classify, Answer)) or (isinstance(task.head, Generate) and task.head.closed)


def task_facts(run: FinetuneRun, sources: TaskSources) -> dict[str, str]:
    """Return what a run's steps and its weights hang on, beyond its settings."""
    records = run.data.records / f"{run.data.train_split}.jsonl"
    facts = {"tokenizer": sources.tokenizer.fingerprint(), "records": sha256_of(records)}
    return facts | _store_facts(sources) | ({"regions": store_checksum(run.data.regions)} if run.data.regions else {})


def _store_facts(sources: TaskSources) -> dict[str, str]:
    meta = sources.store.meta if sources.store else None
    return {"detector": meta.detector, "family": meta.family} if meta else {}


def build_task_model(run: FinetuneRun, task: Task, vocabulary: int, feature_width: int, labels: int) -> UnimoForTask:
    """Build the model with random weights. Raises UserError when the settings give other sizes than the data have."""
    model = run.model
    sizes = {"vocabulary": (model.vocabulary, vocabulary), "feature_width": (model.feature_width, feature_width)}
    faults = [f"model.{key} is {given}, but the data have {found}" for key, (given, found) in sizes.items()
              if given not in (None, found)]  # fmt: skip
    if faults:
        raise UserError("; ".join(faults) + ": leave the setting out or name other data")
    encoder = build_encoder(model, vocabulary, feature_width)
    return UnimoForTask(encoder, head_shape(task, labels))


def head_shape(task: Task, labels: int) -> HeadShape:
    """Return what the task's head is made of."""
    head = task.head
    if isinstance(head, Generate):
        return HeadShape(GENERATE, dialogue=head.dialogue)
    if isinstance(head, Match):
        return HeadShape(MATCH)
    outputs = 1 if isinstance(head, Regress) else labels
    return HeadShape(ANSWER, outputs, head.pooled, None if isinstance(head, Regress) else head.inner)


def starting_task_model(run: FinetuneRun, sources: TaskSources) -> UnimoForTask:
    """Build the model with the weights that fine-tuning starts from: pretraining's, converted ones, or random ones."""
    arrays = read_weights(run.model.weights) if run.model.weights else {}
    if run.model.weights:
        require_same_data(run.model.weights, {"tokenizer": sources.tokenizer.fingerprint(), **_store_facts(sources)})
    width = sources.store.meta.feature_width if sources.store else None
    if width is None:
        width = arrays[IMAGE_SIDE].shape[0] if IMAGE_SIDE in arrays else run.model.feature_width or RELEASED_WIDTH
    model = build_task_model(run, sources.task, sources.tokenizer.vocab_size, width, len(sources.labels))
    fresh = start_from(model, arrays, run.model.weights) if run.model.weights else list(model.state_dict())
    if run.model.weights:
        say_once(f"weights from {run.model.weights}; new at random: {', '.join(fresh) or 'none'}")
    if IMAGE_SIDE in fresh and sources.store:
        mean, spread = sources.store.feature_statistics(STATISTICS_IMAGES)
        model.encoder.center_images(paddle.to_tensor(mean), paddle.to_tensor(spread))
    return model


@dataclass(frozen=True)
class Trained:
    """What a checkpoint keeps of its task. labels: of classes or answers.  lowercase: words were made lower-case before
    the tokenizer saw them; has_pairs, has_tags: records had a second text, names of the objects seen.  task: its name.
    """

    labels: tuple[str, ...] = ()
    lowercase: bool = False
    has_pairs: bool = False
    has_tags: bool = False
    task: str | None = None


def trained_on(run: FinetuneRun, labels: tuple[str, ...]) -> Trained:
    """Return what a checkpoint of the run will keep, from the run's data."""
    data = TaskData(run.data.records)
    first: Record = data.records(run.data.train_split)[0]
    return Trained(labels, data.lowercase, first.text_b is not None, first.tags is not None, run.task)


def kept_in(weights: Path) -> Trained:
    """Return what trained weights were saved with. Raises UserError for weights that are not of a task."""
    if not weights.exists():
        raise UserError(f"{weights} does not exist; name the folder of a fine-tuning run, or a checkpoint")
    path = checkpoint_of(weights) / TASK_FILE
    if not path.is_file():
        raise UserError(f"{weights} holds no {TASK_FILE}: its weights are not fine-tuned on a task; name a run that is")
    told = read_json(path)
    return Trained(tuple(told["labels"]), told["lowercase"], told["has_pairs"], told["has_tags"], told.get("task"))


def checkpoint_of(weights: Path) -> Path:
    """Return the checkpoint that weights are read from: of a run the best one on its dev split, or the newest."""
    checkpoints = weights / "checkpoints"
    if not checkpoints.is_dir():
        return weights
    best = checkpoints / "best"
    return best if best.exists() else max(checkpoints.glob("step-*"), default=weights)


def load_task_model(run: FinetuneRun, weights: Path, sources: TaskSources) -> UnimoForTask:
    """Build the model with fine-tuned weights, ready to answer (no dropout)."""
    folder = checkpoint_of(weights)
    require_same_data(folder, {"tokenizer": sources.tokenizer.fingerprint(), **_store_facts(sources)})
    arrays = read_weights(folder)
    if IMAGE_SIDE not in arrays:
        raise UserError(f"{folder} holds no weights of this kind of model ({IMAGE_SIDE} is missing)")
    width = arrays[IMAGE_SIDE].shape[0]
    model = build_task_model(run, sources.task, sources.tokenizer.vocab_size, width, len(sources.labels))
    restore_model(model, arrays, folder)
    model.eval()
    return model
