"""Pretraining's wiring: corpora, regions, tokenizer -> streams -> model -> losses -> trainer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import paddle

from unimo_paddle.build.facts import data_facts
from unimo_paddle.build.models import build_model, model_facts
from unimo_paddle.build.training import rate_of, trainer
from unimo_paddle.config import PretrainRun, fingerprint
from unimo_paddle.console import say
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.batch import Parts
from unimo_paddle.data.examples import PairSettings
from unimo_paddle.data.image_stream import ImageSettings, ImageStream
from unimo_paddle.data.mixture import Mixture, Stream
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.data.retrieved import require_same_kind
from unimo_paddle.data.stream import PairStream
from unimo_paddle.data.text_stream import TextSettings, TextStream
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.precision import Precision
from unimo_paddle.engine.profile import profiler
from unimo_paddle.engine.run_directory import DATA_FILE, claim_directory, note_data
from unimo_paddle.engine.trainer import Trainer, Watch
from unimo_paddle.errors import UserError
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import SIZES_FILE
from unimo_paddle.model.unimo import UnimoForPretraining, sizes_of
from unimo_paddle.preflight import Trial
from unimo_paddle.probes.held_out import held_out
from unimo_paddle.probes.pair_probe import VALUES, PairProbe
from unimo_paddle.regions import RegionStore
from unimo_paddle.retrieval import candidates
from unimo_paddle.tasks.pretraining import Pretraining, parts_for
from unimo_paddle.token_store import TokenStore

STATISTICS_IMAGES = 1000


@dataclass(frozen=True)
class Sources:
    """What a run reads, opened and found whole."""

    tokenizer: Tokenizer
    store: RegionStore
    mixture: Mixture


def pretrain(run: PretrainRun, restart: bool, resume: Path | None) -> None:
    """Wire pretraining, top to bottom: what is read, what learns, what it learns from, what drives it."""
    sources = open_sources(run)
    model = starting_model(run, sources)
    watch = watching(run, model, sources)
    facts = model_facts(sources.tokenizer, sources.store) | data_facts(run)
    with Prefetch(sources.mixture.batch) as ahead:
        work = Pretraining(model, ahead.batch, run.objectives.temperature)
        # Wired before the folder is claimed: what the engine refuses must leave an earlier run as it is.
        engine = around(run, work, run.output.directory, facts, watch)
        with claim_directory(run, restart, resume) as directory:
            note_data(directory, facts)
            engine.run()


def pretraining_trial(run: PretrainRun, folder: Path) -> Trial:
    """Return the run as it would start, writing to another folder: for preflight."""
    sources = open_sources(run)
    work = Pretraining(starting_model(run, sources), sources.mixture.batch, run.objectives.temperature)
    return Trial(around(run, work, folder, {}, None), sources.mixture.kind)


def around(
    run: PretrainRun, work: Pretraining, directory: Path, facts: dict[str, str], watch: Watch | None
) -> Trainer:
    """Wire the engine around pretraining with all that the run says of it."""
    return trainer(
        work,
        run.optimizer,
        rate_of(run.optimizer, run.train.steps),
        run.train,
        run.objectives.weights(),
        directory,
        beside={SIZES_FILE: asdict(sizes_of(work.model)), DATA_FILE: facts},
        parallel=run.parallel,
        precision=Precision(run.precision),
        watch=watch,
        peak_tflops=run.watch.peak_tflops,
        fingerprint=fingerprint(run),
        operators=run.model.operators,
    )


def watching(run: PretrainRun, model: UnimoForPretraining, sources: Sources) -> Watch:
    """Return what is looked at while the run goes on. Raises UserError, before hours of training, for what is not
    there to be looked at."""
    watch, wanted = run.watch, run.evaluation
    if wanted.answers and not wanted.answers.is_file():
        raise UserError(f"evaluation.answers: {wanted.answers} does not exist; leave it out: evaluation.answers=null")
    profile = profiler(watch.profile, run.output.directory / "profile")
    if not watch.probe_every:
        return Watch(profile=profile)
    if watch.keep_best not in (None, *VALUES):
        raise UserError(f"watch.keep_best: {watch.keep_best} is no value of the probes; they are {', '.join(VALUES)}")
    found = candidates(Corpus(run.data.corpus), wanted.split, 1, wanted.answers)
    pairs = held_out(
        found, sources.store, sources.tokenizer, watch.probe_pairs, run.data.max_regions, run.data.max_tokens
    )
    probe = PairProbe(model, pairs, sources.tokenizer, sources.store.meta.classes, wanted.batch)
    return Watch(probe, watch.probe_every, watch.keep_best, profile)


def open_sources(run: PretrainRun) -> Sources:
    """Open the streams of all kinds of data that the run names; UserError for what is missing or does not fit."""
    tokenizer, store = load_tokenizer(run.data.tokenizer), RegionStore(run.data.regions)
    store.require_whole()
    streams: dict[str, tuple[Stream, float]] = {}
    if run.data.weight:
        streams["pair"] = (pair_stream(run, tokenizer, store), run.data.weight)
    if run.texts.tokens and run.texts.weight:
        streams["text"] = (text_stream(run, tokenizer), run.texts.weight)
    if run.images.regions and run.images.weight:
        streams["image"] = (image_stream(run, store), run.images.weight)
    return Sources(tokenizer, store, Mixture(streams, run.train.seed))


def pair_stream(run: PretrainRun, tokenizer: Tokenizer, store: RegionStore) -> PairStream:
    """Return this rank's share of the pairs."""
    return PairStream(
        Corpus(run.data.corpus), run.data.split, store, tokenizer, pair_settings(run), run.train.seed,
        rank(), world_size(), image_store(run, store),
    )  # fmt: skip


def text_stream(run: PretrainRun, tokenizer: Tokenizer) -> TextStream:
    """Return this rank's share of the texts."""
    assert run.texts.tokens
    settings = TextSettings(
        rows=run.texts.rows,
        max_tokens=run.texts.max_tokens,
        multiple=run.data.multiple,
        span_rate=run.masking.span_rate,
        fragment_rate=run.masking.fragment_rate,
        parts=wanted_parts(run),
    )
    return TextStream(
        TokenStore(run.texts.tokens), tokenizer, settings, run.train.seed, rank(), world_size(), run.train.accumulate
    )


def image_stream(run: PretrainRun, like: RegionStore) -> ImageStream:
    """Return this rank's share of the images alone. like: the pairs' store, whose kind of regions the model reads."""
    assert run.images.regions
    store = RegionStore(run.images.regions)
    store.require_whole()
    require_same_kind(store, like, "images.regions")
    settings = ImageSettings(
        rows=run.images.rows,
        max_regions=run.data.max_regions,
        multiple=run.data.multiple,
        region_rate=run.masking.region_rate,
        overlap=run.masking.region_overlap,
    )
    share = rank(), world_size(), run.train.accumulate
    return ImageStream(store, settings, run.train.seed, *share, held_out=held_out_images(run))


def held_out_images(run: PretrainRun) -> set[str]:
    """Return the images of the corpus's other splits: one store may hold the regions of all."""
    corpus = Corpus(run.data.corpus)
    others = [split for split in corpus.splits if split != run.data.split]
    return {image_id for split in others for image_id in corpus.images(split).column("id")}


def image_store(run: PretrainRun, store: RegionStore) -> RegionStore:
    """Open the store of the retrieved images, whole; the pairs' own store when none is named or none are drawn."""
    if run.data.image_regions in (None, run.data.regions) or not pair_settings(run).retrieved_images:
        return store
    found = RegionStore(run.data.image_regions)
    found.require_whole()
    return found


def starting_model(run: PretrainRun, sources: Sources) -> UnimoForPretraining:
    """Build the model with the weights that training starts from."""
    model = build_model(run, sources.tokenizer, sources.store)
    fresh = list(model.state_dict())
    if run.model.weights:
        fresh = load_weights(model, run.model.weights)
        say(f"weights from {run.model.weights}; {len(fresh)} parameters start at random")
    if "encoder.image_projection.weight" in fresh:
        mean, spread = sources.store.feature_statistics(STATISTICS_IMAGES)
        model.encoder.center_images(paddle.to_tensor(mean), paddle.to_tensor(spread))
    return model


def wanted_parts(run: PretrainRun) -> Parts:
    """Return what is made of each example: what an objective with a weight reads."""
    return parts_for([name for name, weight in run.objectives.weights().items() if weight])


def pair_settings(run: PretrainRun) -> PairSettings:
    """Return the numbers of the pair stream; without a weight for the contrast no rewrites or neighbours are drawn or
    wanted."""
    data, masking, contrast = run.data, run.masking, run.objectives.contrastive > 0
    return PairSettings(
        rows=data.rows,
        multiple=data.multiple,
        max_tokens=data.max_tokens,
        max_regions=data.max_regions,
        positives=data.positives if contrast else 0,
        negatives=data.negatives if contrast else 0,
        retrieved_images=data.retrieved_images if contrast else 0,
        retrieved_texts=data.retrieved_texts if contrast else 0,
        span_rate=masking.span_rate,
        fragment_rate=masking.fragment_rate,
        region_rate=masking.region_rate,
        overlap=masking.region_overlap,
        shuffle_captions=data.shuffle_captions,
        accumulate=run.train.accumulate,
        parts=wanted_parts(run),
    )
