"""A task's model judged on a split: answers, metrics with intervals, the paper's scores beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unimo_paddle.build.task_baselines import constant_answers
from unimo_paddle.build.task_retrieval import RetrievalSplit, chances, judge_retrieval
from unimo_paddle.build.task_sources import (
    TaskSources,
    decoding_of,
    kept_in,
    load_task_model,
    open_sources,
)
from unimo_paddle.config import FinetuneRun
from unimo_paddle.console import progress, say
from unimo_paddle.data.task_encode import class_name
from unimo_paddle.data.task_stream import evaluation_batches
from unimo_paddle.distributed import gather_texts, rank, world_size
from unimo_paddle.engine.probe import Probed
from unimo_paddle.engine.together import say_once
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write, require_writable
from unimo_paddle.metrics.table import Prediction, Scored, Truth, missing, score_named
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.records import Record, Records, TaskData
from unimo_paddle.task_spec import Answer, Classify, Generate, Match, Regress, Task
from unimo_paddle.tasks.answers import Answering, Said


@dataclass(frozen=True)
class Judged:
    """scores: by metric; said: of each record in the split's order, empty for retrieval."""

    scores: dict[str, Scored]
    said: list[Said]


@dataclass(frozen=True)
class Baseline:
    """What a split scores without a model. name: of how."""

    name: str
    scores: dict[str, Scored]


def evaluate_task(run: FinetuneRun, weights: Path, split: str | None, predictions: Path | None) -> dict[str, object]:
    """Judge trained weights on a split and print the table; return it flat.

    split: left out, evaluation.split or the task's first one.  predictions: JSONL to write, one answer a record.
    Raises UserError for a split without answers, weights or data that do not fit, and a file that cannot be written,
    before anything is answered.
    """
    trained = kept_in(weights)
    if trained.task not in (None, run.task):
        raise UserError(f"{weights} was trained on {trained.task}, but task is {run.task}; name a run of that task, or "
                        f"its own configuration, {weights}/config.yaml")
    sources = open_sources(run, trained.labels)
    split = split or split_of(run, sources.task)
    records = TaskData(run.data.records).records(split)
    if predictions:
        require_predictions(predictions, sources.task, records)
    require_truths(sources, records)
    model = load_task_model(run, weights, sources)
    judged = judge(run, sources, model, records, sources.task.metrics)
    baseline = without_model(run, sources, records)
    for line in table(sources.task, run.model.size, split, judged.scores, baseline):
        say_once(line)
    if predictions and rank() == 0:
        write_predictions(predictions, records, judged.said)
    return {"task": run.task, "split": split, "weights": str(weights), "example_count": len(records)} | flat(
        judged.scores, baseline
    )


def require_truths(sources: TaskSources, records: Records) -> None:
    """Raise UserError naming file and line of the first record that cannot be judged: it has no answer, or one that
    the model does not know."""
    head = sources.task.head
    for row, record in enumerate(records):
        place = records.place(row)
        if isinstance(head, (Classify, Regress)):
            sources.encoder.require(record, place, with_answer=True)
        elif not isinstance(head, Match) and not any(one.strip() for one in sources.encoder.references(record)):
            raise UserError(f"{place}: there is nothing to judge an answer by: references, or target, is wanted")


def require_predictions(predictions: Path, task: Task, records: Records) -> None:
    """Raise UserError for answers that nobody can write there."""
    if isinstance(task.head, Match):
        raise UserError(f"--predictions {predictions}: retrieval has no answer for each record, but scores; leave it "
                        "out")
    require_writable(predictions, [records.path])


def split_of(run: FinetuneRun, task: Task) -> str:
    """Return the split that picks the best checkpoint."""
    return run.evaluation.split or task.evaluated[0]


def judge(
    run: FinetuneRun, sources: TaskSources, model: UnimoForTask, records: Records, names: Sequence[str]
) -> Judged:
    """Answer every record of a split, all processes together, and score the answers. names: of metrics."""
    task = sources.task
    if isinstance(task.head, Match):
        assert sources.store is not None
        matching = RetrievalSplit(records, sources.store, sources.encoder)
        return Judged(judge_retrieval(model, matching, run.evaluation.batch, run.evaluation.shortlist), [])
    answering = Answering(model, task, sources.tokenizer, sources.labels, decoding_of(run), seed=run.train.seed)
    said = answer_all(answering, records, sources, run.evaluation.batch, (rank(), world_size()))
    return Judged(scores_of(sources, records, [one.answer for one in said], names), said)


def scores_of(
    sources: TaskSources, records: Records, answers: Sequence[Prediction], metrics: Sequence[str]
) -> dict[str, Scored]:
    """Score one answer a record by these metrics, those of them that can be computed here."""
    left_out = missing(metrics)
    for name, reason in left_out.items():
        say_once(f"{name} is left out: {reason}")
    names = [name for name in metrics if name not in left_out]
    return score_named(names, answers, [truth_of(record, sources) for record in records])


def without_model(run: FinetuneRun, sources: TaskSources, records: Records) -> Baseline:
    """Return what guessing scores (retrieval), or an answer that needs no model; nothing where there is no training
    split to know it from."""
    if isinstance(sources.task.head, Match):
        assert sources.store is not None
        return Baseline("chance", chances(RetrievalSplit(records, sources.store, sources.encoder)))
    data = TaskData(run.data.records)
    if run.data.train_split not in data.splits:
        return Baseline("none", {})
    trained = data.records(run.data.train_split)
    try:
        for row, record in enumerate(trained):
            sources.encoder.require(record, trained.place(row), with_answer=True)
    except UserError as error:
        say_once(f"nothing to compare with: {error}")
        return Baseline("none", {})
    name, answers = constant_answers(sources, trained, records)
    return Baseline(name, scores_of(sources, records, answers, sources.task.metrics))


def answer_all(
    answering: Answering, records: Records, sources: TaskSources, size: int, share: tuple[int, int]
) -> list[Said]:
    """Return what is said to every record, in their order. share: this rank, of how many that answer together."""
    found: dict[int, Said] = {}
    batches = evaluation_batches(records, sources.store, sources.encoder, size, *share)
    total = -(-len(records) // (size * share[1]))
    for batch in progress(batches, total, f"answering {records.path.stem}", "batch"):
        found |= dict(zip(batch.indices.tolist(), answering(batch.sequences), strict=True))
    if share[1] > 1:
        mine = json.dumps([(row, one.answer, one.ranked) for row, one in found.items()])
        for other in gather_texts(mine):
            found |= {row: Said(answer, tuple(map(tuple, ranked))) for row, answer, ranked in json.loads(other)}
    return [found[row] for row in range(len(records))]


def truth_of(record: Record, sources: TaskSources) -> Truth:
    """Return what a record's answer is compared with; a class that is written as a number by its name."""
    head, label = sources.task.head, record.label
    references = sources.encoder.references(record) if isinstance(head, (Generate, Answer)) else ()
    if isinstance(head, Classify) and label is not None:
        label = class_name(label)
    return Truth(record.id, label, references, record.group)


def flat(scores: Mapping[str, Scored], baseline: Baseline) -> dict[str, object]:
    """Return values, intervals and what is reached without a model by name, those of a group as METRIC/GROUP."""
    told: dict[str, object] = {}
    for name, one in _with_groups(scores):
        told |= {name: round(one.value, 6), f"{name}_low": round(one.low, 6), f"{name}_high": round(one.high, 6)}
    return told | {f"{name}_baseline": round(one.value, 6) for name, one in _with_groups(baseline.scores)}


def table(task: Task, size: str, split: str, scores: Mapping[str, Scored], baseline: Baseline) -> list[str]:
    """Return the lines that a person reads: value, interval, examples, what needs no model, and what the paper has for
    this split."""
    published = {one.metric: one.score for one in task.published if (one.size, one.split) == (size, split)}
    without = dict(_with_groups(baseline.scores))
    lines = [
        f"{task.title}, split {split}",
        f"{'':28}{'score':>9}{'95 % interval':>18}{'examples':>10}{baseline.name:>20}{'paper':>9}",
    ]
    for name, one in _with_groups(scores):
        interval = f"{one.low:.2f} .. {one.high:.2f}"
        beside = f"{without[name].value:20.2f}" if name in without else f"{'-':>20}"
        paper = f"{published[name]:9.2f}" if name in published else f"{'-':>9}"
        lines.append(f"{name:28}{one.value:9.2f}{interval:>18}{one.count:10,}{beside}{paper}")
    return lines


def _with_groups(scores: Mapping[str, Scored]) -> Iterator[tuple[str, Scored]]:
    for name, one in scores.items():
        yield name, one
        yield from ((f"{name}/{group}", apart) for group, apart in one.groups.items())


def write_predictions(path: Path, records: Records, said: Sequence[Said]) -> None:
    """Write one JSON object a record: its id, image, answer, and what else was near; atomically."""
    with atomic_write(path, "w") as file:
        for record, one in zip(records, said, strict=True):
            told = {"id": record.id, "image": record.image, "answer": one.answer, "ranked": one.ranked}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
    say(f"answers: {path}")


class TaskProbe:
    """Judges the model in training, all processes together, by what picks the best checkpoint alone: METEOR by itself
    takes half a minute (engine/probe.py)."""

    def __init__(self, run: FinetuneRun, sources: TaskSources, model: UnimoForTask, records: Records) -> None:
        self.run, self.sources, self.model, self.records = run, sources, model, records

    def __call__(self, step: int) -> Probed:
        """Return each metric's value, and some answers to read."""
        judged = judge(self.run, self.sources, self.model, self.records, (self.sources.task.best_by,))
        shown = range(0, len(judged.said), max(1, len(judged.said) // 8))
        told = [f"{self.records[row].id}: {judged.said[row].answer}" for row in shown]
        values = {name: one.value for name, one in judged.scores.items()}
        return Probed(values, texts={"answers": "\n".join(told)} if told else {})
