"""Fine-tuning's wiring: records, regions, tokenizer -> stream -> model with the task's head -> losses -> trainer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from functools import partial
from pathlib import Path

from unimo_paddle.build.task_evaluation import TaskProbe, require_truths, split_of
from unimo_paddle.build.task_sources import (
    RELEASED_WIDTH,
    TASK_FILE,
    TaskSources,
    decoding_of,
    open_sources,
    starting_task_model,
    task_facts,
    task_of,
    trained_on,
)
from unimo_paddle.build.training import trainer
from unimo_paddle.config import FinetuneRun, TrainSettings, fingerprint
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.data.task_stream import StreamSettings, TaskStream, survey
from unimo_paddle.data.tokenizer import load_tokenizer
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.precision import Precision
from unimo_paddle.engine.run_directory import DATA_FILE, claim_directory, note_data
from unimo_paddle.engine.schedules import Schedule, dropping_rate, learning_rate, warmup_steps
from unimo_paddle.engine.together import say_once
from unimo_paddle.engine.trainer import Watch
from unimo_paddle.errors import UserError
from unimo_paddle.metrics.cider import CiderD
from unimo_paddle.model.model_folder import SIZES_FILE
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.model.unimo import encoder_sizes, parameter_count
from unimo_paddle.objectives.adversarial import AdversarialSettings
from unimo_paddle.objectives.circle import CircleSettings
from unimo_paddle.objectives.reward import RewardSettings
from unimo_paddle.records import Records, TaskData
from unimo_paddle.regions import RegionStore
from unimo_paddle.task_spec import Generate
from unimo_paddle.tasks.answers import generation_ids
from unimo_paddle.tasks.finetuning import Finetuning, FinetuningSettings
from unimo_paddle.tasks.self_critical import Judge

RELEASED_VOCABULARY = 50265


def finetune(run: FinetuneRun, restart: bool, resume: Path | None) -> None:
    """Wire fine-tuning, top to bottom: what is read, what learns, what it learns from, what drives it."""
    sources, data = open_sources(run), TaskData(run.data.records)
    stream = task_stream(run, sources, data.records(run.data.train_split))
    settings = run.train.in_steps(stream.steps_per_epoch)
    say_once(f"{run.task}: {settings.steps:,} steps, {stream.steps_per_epoch:,} an epoch")
    model = starting_task_model(run, sources)
    facts = task_facts(run, sources)
    watch = watching(run, sources, model, data, stream.steps_per_epoch)
    precision = Precision(run.precision)
    with Prefetch(stream.batch) as ahead:
        work = Finetuning(
            model,
            sources.task,
            ahead.batch,
            finetuning_settings(run),
            judge_of_rewards(run, sources, data) if run.reward.samples else None,
            precision.cast,
        )
        engine = trainer(
            work,
            run.optimizer,
            rate_of_epochs(run, settings, stream.steps_per_epoch),
            settings,
            dict(work.weights),
            run.output.directory,
            beside={
                SIZES_FILE: asdict(encoder_sizes(model.encoder)),
                DATA_FILE: facts,
                TASK_FILE: asdict(trained_on(run, sources.labels)),
            },
            parallel=run.parallel,
            precision=precision,
            watch=watch,
            fingerprint=fingerprint(run),
            operators=run.model.operators,
        )
        with claim_directory(run, restart, resume) as directory:
            note_data(directory, facts)
            engine.run()


def task_stream(run: FinetuneRun, sources: TaskSources, records: Records) -> TaskStream:
    """Return this rank's share of the training split."""
    data = run.data
    pool = data.pool if data.hard_negatives else 0
    settings = StreamSettings(data.batch, run.train.accumulate, data.negatives, pool)
    return TaskStream(records, sources.store, sources.encoder, settings, run.train.seed, rank(), world_size())


def watching(
    run: FinetuneRun, sources: TaskSources, model: UnimoForTask, data: TaskData, steps_per_epoch: int
) -> Watch:
    """Return how the best checkpoint is found: the task's metric on its dev split, or none where there is no such
    split. Raises UserError, now rather than after an epoch, for a split that cannot be judged."""
    split = split_of(run, sources.task)
    if split not in data.splits:
        say_once(f"{data.path} has no split {split}: the newest checkpoint is kept, not the best one")
        return Watch()
    records, shown = data.records(split), run.evaluation.examples
    records = records.first(shown) if shown else records
    require_truths(sources, records)
    survey(records, sources.store, sources.encoder, with_answer=False)
    probe = TaskProbe(run, sources, model, records)
    return Watch(probe, run.evaluation.every or steps_per_epoch, sources.task.best_by, together=True)


def rate_of_epochs(run: FinetuneRun, settings: TrainSettings, steps_per_epoch: int) -> Schedule:
    """Return the learning rate of a run's updates."""
    optimizer = run.optimizer
    if optimizer.schedule == "epochs":
        drops = tuple(epoch * steps_per_epoch for epoch in optimizer.drop_epochs)
        return partial(dropping_rate, peak=optimizer.peak_lr, drops=drops)
    total = settings.steps * optimizer.schedule_devices
    warmup = warmup_steps(optimizer.warmup, total)
    return partial(learning_rate, peak=optimizer.peak_lr, warmup=warmup, total=total, schedule=optimizer.schedule)


def finetuning_settings(run: FinetuneRun) -> FinetuningSettings:
    """Return how the task is learnt. Raises UserError for what is not for this task."""
    wanted = asdict(run.adversarial)
    adversarial = AdversarialSettings(**wanted) if run.adversarial.steps else None
    reward = RewardSettings(**asdict(run.reward)) if run.reward.samples else None
    return FinetuningSettings(run.smoothing, CircleSettings(), run.data.hard_negatives, adversarial, reward)


def judge_of_rewards(run: FinetuneRun, sources: TaskSources, data: TaskData) -> Judge:
    """Return what a caption is worth: CIDEr-D, whose document frequencies are those of the training split's images."""
    head, decoding = sources.task.head, decoding_of(run)
    if not isinstance(head, Generate) or decoding is None:
        raise UserError(f"reward.samples is {run.reward.samples}, but {run.task} generates nothing; set it to 0")
    captions = defaultdict[str, dict[str, None]](dict)   # records of one image may repeat its captions
    for record in data.records(run.data.train_split):
        captions[record.image or record.id] |= dict.fromkeys(sources.encoder.references(record))
    cider = CiderD([list(said) for said in captions.values()])
    return Judge(generation_ids(sources.tokenizer, head), decoding.most, sources.tokenizer.decode, cider.scores)


def plan_of_finetuning(run: FinetuneRun) -> list[str]:
    """Return what a run will do as lines to print; data that are there already say how many steps it has."""
    task, data = task_of(run), run.data
    layers, width = run.model.layers, run.model.width
    vocabulary, feature_width = run.model.vocabulary or RELEASED_VOCABULARY, run.model.feature_width or RELEASED_WIDTH
    if data.tokenizer.is_dir():
        vocabulary = load_tokenizer(data.tokenizer).vocab_size
    if data.regions and data.regions.is_dir():
        feature_width = RegionStore(data.regions).meta.feature_width
    count = parameter_count(vocabulary, width, layers, feature_width, run.model.max_positions)
    lines = [
        f"{task.title}: reads {', '.join(task.reads)}; best checkpoint by {task.best_by} on {split_of(run, task)}",
        f"encoder: {layers} layers of {width}, {count:,} parameters: {4 * count / 2**30:.2f} GiB, and three times that "
        "for gradients and Adam's moments",
    ]
    for one in task.published:
        if one.size == run.model.size:
            lines.append(f"published: {one.metric} {one.score} on {one.split}")
    records = data.records / f"{data.train_split}.jsonl"
    if not records.is_file():
        return [*lines, f"{records} is not there yet: steps are not known"]
    per_epoch = len(Records(records)) // data.batch
    settings = run.train.in_steps(per_epoch)
    rate = rate_of_epochs(run, settings, per_epoch)
    marks = sorted({0, *(round(share * settings.steps) for share in (0.06, 0.25, 0.5, 0.75)), settings.steps - 1})
    rates = ", ".join(f"{rate(step):.3g} at {step:,}" for step in marks)
    lines.append(f"{settings.steps:,} steps, {per_epoch:,} an epoch of {data.batch} examples")
    return [*lines, f"learning rate: {rates}"]
