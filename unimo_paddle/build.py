"""The wiring: from a run's settings to something that trains or evaluates. Read this first, top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import paddle
from numpy.typing import NDArray
from PIL import Image

from unimo_paddle.config import DetectorRun, OptimizerSettings, PretrainRun, Run, TrainSettings
from unimo_paddle.console import say
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.encode import encode_image, encode_text
from unimo_paddle.data.examples import PairSettings
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.data.stream import PairStream
from unimo_paddle.data.tokenizer import Tokenizer, load_tokenizer
from unimo_paddle.engine.checkpoint import Checkpoints, read_weights, restore_model
from unimo_paddle.engine.evaluate import KS, as_json, table
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam, learning_rate
from unimo_paddle.engine.run_directory import CHECKPOINTS, DATA_FILE, claim_directory, note_data, require_same_data
from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.engine.trainer import Trainer, Work
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of
from unimo_paddle.metrics.retrieval import recall
from unimo_paddle.model.loading import load_weights
from unimo_paddle.model.model_folder import SIZES_FILE, ModelSizes
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.regions import RegionStore
from unimo_paddle.retrieval import Candidates, candidates, draw_sheet
from unimo_paddle.tasks.pretraining import Pretraining, parts_for

if TYPE_CHECKING:
    from unimo_paddle.vision.annotations import Annotations, Scene
    from unimo_paddle.vision.compat import RegionDetector
    from unimo_paddle.vision.detector import StoredDetector
    from unimo_paddle.vision.map_cache import MapCache
    from unimo_paddle.vision.settings import DetectorSettings

SHEET_ROWS = 12
STATISTICS_IMAGES = 1000


def train(run: Run, restart: bool = False) -> None:
    """Train what the run describes, from where an earlier start of the same run stopped.

    Raises UserError for settings that do not fit the data or the run's folder.
    """
    paddle.seed(run.train.seed)
    if isinstance(run, DetectorRun):
        train_detector(run, restart)
    else:
        pretrain(run, restart)


def pretrain(run: PretrainRun, restart: bool) -> None:
    """Wire pretraining on pairs: corpus + regions + tokenizer -> stream -> model -> losses -> trainer."""
    tokenizer, store = load_tokenizer(run.data.tokenizer), RegionStore(run.data.regions)
    store.require_whole()
    answers = run.evaluation.answers
    if answers and not answers.is_file():  # told now, not after hours of training
        raise UserError(f"evaluation.answers: {answers} does not exist; leave it out with -o evaluation.answers=null")
    stream = PairStream(
        Corpus(run.data.corpus), run.data.split, store, tokenizer, pair_settings(run), run.train.seed,
        image_store=image_store(run, store),
    )  # fmt: skip
    model = build_model(run, tokenizer, store)
    fresh = list(model.state_dict())
    if run.model.weights:
        fresh = load_weights(model, run.model.weights)
        say(f"weights from {run.model.weights}; {len(fresh)} parameters start at random")
    if "encoder.image_projection.weight" in fresh:
        mean, spread = store.feature_statistics(STATISTICS_IMAGES)
        model.encoder.center_images(paddle.to_tensor(mean), paddle.to_tensor(spread))
    weights = run.objectives.weights()
    beside = {SIZES_FILE: asdict(sizes_of(model)), DATA_FILE: data_facts(tokenizer, store)}
    with claim_directory(run, restart) as directory, Prefetch(stream.batch) as ahead:
        note_data(directory, beside[DATA_FILE])
        work = Pretraining(model, ahead.batch, run.objectives.temperature)
        trainer(work, run.optimizer, run.train, weights, directory, beside).run()


def image_store(run: PretrainRun, store: RegionStore) -> RegionStore:
    """Open the store of the retrieved images, whole; the pairs' own store when none is named or none are drawn."""
    if run.data.image_regions in (None, run.data.regions) or not pair_settings(run).retrieved_images:
        return store
    found = RegionStore(run.data.image_regions)
    found.require_whole()
    return found


def data_facts(tokenizer: Tokenizer, store: RegionStore) -> dict[str, str]:
    """Return what tells data apart that look alike: the same sizes under the same paths, but other ids or features."""
    return {"tokenizer": tokenizer.fingerprint(), "detector": store.meta.detector}


def train_detector(run: DetectorRun, restart: bool) -> None:
    """Wire the detector: annotations -> batches -> trainer -> a folder for tools/extract.py.

    Where the backbone is frozen its maps are computed once; else each step decodes its pictures, one step ahead.
    The folder `detector` in the run's directory appears when training is done; see finish_detector.
    """
    # PaddleDetection takes seconds to load: only a detector waits for it.
    from unimo_paddle.vision import batches, detector, settings, training

    shown = read_pictures(run, run.data.train)
    judged = read_pictures(run, run.data.validation).scenes if run.data.validation else ()
    shape = detector_shape(run, shown)
    model = detector.build_detector(shape)
    source = run.detector.backbone_weights or detector.packaged_weights(run.detector.backbone)
    detector.read_backbone_weights(model, source)
    kept = run.extraction
    choice = settings.Choice(kept.score_threshold, kept.min_regions, kept.max_regions)
    order, attributes = batches.SceneOrder(shown.scenes, run.data.batch, run.train.seed), len(shape.attributes)
    with claim_directory(run, restart) as directory:
        made: batches.MapBatches | batches.PictureBatches
        if shape.kind.is_frozen:
            made = batches.MapBatches(order, backbone_maps(model, shown, shape, source, directory), attributes)
        else:
            sides = shape.short_side, shape.long_side
            made = batches.PictureBatches(order, sides, model.backbone.normalise, attributes)
        with Prefetch(made.batch) as ahead:
            work = training.DetectorWork(model, ahead.batch, shape.kind.is_frozen)
            trainer(work, run.optimizer, run.train, training.WEIGHTS, directory).run()
        notes = {"trained_on": str(run.data.train), "steps": run.train.steps}
        finish_detector(detector.StoredDetector(model, shape, choice, ""), judged, notes, directory / "detector")


def read_pictures(run: DetectorRun, listed: Path) -> Annotations:
    """Read the annotated pictures of one split."""
    from unimo_paddle.vision.annotations import read_annotations
    from unimo_paddle.vision.genome import read_genome

    data = run.data
    return read_genome(data.genome, listed, data.images) if data.genome else read_annotations(listed, data.images)


def detector_shape(run: DetectorRun, shown: Annotations) -> DetectorSettings:
    """Return the run's detector with the annotations' classes and attributes."""
    from unimo_paddle.vision.settings import DetectorSettings

    wanted = run.detector
    return DetectorSettings(
        classes=shown.classes,
        attributes=shown.attributes,
        family=wanted.family,
        backbone=wanted.backbone,
        short_side=wanted.short_side,
        long_side=wanted.long_side,
        neck_width=wanted.neck_width,
        feature_width=wanted.feature_width,
        roi_size=wanted.roi_size,
        anchor_sizes=wanted.anchor_sizes,
        candidates=wanted.candidates,
        smallest=wanted.smallest,
        train_proposals=wanted.train_proposals,
        test_proposals=wanted.test_proposals,
        anchors_per_image=wanted.anchors_per_image,
        rois_per_image=wanted.rois_per_image,
    )


def backbone_maps(
    model: RegionDetector, shown: Annotations, shape: DetectorSettings, source: Path, directory: Path
) -> MapCache:
    """Return the frozen backbone's maps of all pictures, computed unless they are in the run's folder already."""
    from unimo_paddle.vision import frozen, map_cache

    return map_cache.cached_maps(
        directory / "maps",
        frozen.FrozenBackbone(model.backbone),
        [(scene.id, scene.path) for scene in shown.scenes],
        shape.short_side,
        shape.long_side,
        sha256_of(source),
    )


def finish_detector(trained: StoredDetector, judged: Sequence[Scene], notes: dict[str, Any], finished: Path) -> None:
    """Judge a trained detector on annotated pictures, if any, and write its folder with the scores; once is enough."""
    from unimo_paddle.vision import detector, judge

    if not finished.exists():
        trained.detector.eval()
        if judged:
            notes = {**notes, "validation": {"pictures": len(judged), **asdict(judge.judge(trained, judged))}}
        detector.save_detector(trained, finished, notes)
    say(f"the detector is in {finished}")
    scores = read_json(finished / detector.DESCRIPTION)["notes"].get("validation")
    if scores:
        say("on {pictures} validation pictures: AP50 {ap50:.3f}, recall {recall:.3f}, "
            "class accuracy {accuracy:.3f}".format(**scores))
    if scores and scores.get("attributes"):
        say("of {objects:,} objects with attributes, found: attribute accuracy {accuracy:.3f} (always the most common "
            "one: {majority:.3f}), attribute AP50 {mean_precision:.3f}".format(**scores["attributes"]))


def trainer(
    work: Work,
    optimizer: OptimizerSettings,
    settings: TrainSettings,
    weights: dict[str, float],
    directory: Path,
    beside: dict[str, Any] | None = None,
) -> Trainer:
    """Wire the engine around any work. beside: file name -> JSON value, kept in each checkpoint."""
    adam = Adam(work.model, optimizer.weight_decay, optimizer.betas, optimizer.epsilon, optimizer.clip_norm)
    rate = partial(
        learning_rate,
        peak=optimizer.peak_lr,
        warmup=optimizer.warmup_steps,
        total=settings.steps,
        schedule=optimizer.schedule,
    )
    checkpoints = Checkpoints(directory / CHECKPOINTS, settings.keep_last, beside)
    log = Log(directory, settings.log_every, settings.steps)
    return Trainer(
        work, adam, rate, checkpoints, log, weights, settings.steps, settings.save_every, settings.seed
    )


def pair_settings(run: PretrainRun) -> PairSettings:
    """Return the numbers of the pair stream; without a weight for the contrast no rewrites or neighbours are drawn or
    wanted."""
    data, masking, contrast = run.data, run.masking, run.objectives.contrastive > 0
    return PairSettings(
        batch_pairs=max(data.multiple, data.rows // (data.max_tokens + data.max_regions) // data.multiple * data.multiple),
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
        parts=parts_for([name for name, weight in run.objectives.weights().items() if weight]),
    )


def build_model(run: PretrainRun, tokenizer: Tokenizer, store: RegionStore) -> UnimoForPretraining:
    """Build the model with random weights; what the run leaves open is taken from tokenizer and store.

    Raises UserError that lists every size which the run gives otherwise than the data have it.
    """
    model, data = run.model, run.data
    sizes = {
        "model.vocabulary": (model.vocabulary, tokenizer.vocab_size, data.tokenizer),
        "model.feature_width": (model.feature_width, store.meta.feature_width, data.regions),
        "model.region_classes": (model.region_classes, len(store.meta.classes), data.regions),
    }
    faults = [
        f"{key} is {given}, but {source} has {found}"
        for key, (given, found, source) in sizes.items()
        if given not in (None, found)
    ]
    if faults:
        raise UserError("; ".join(faults) + ": leave the setting out or name other data")
    encoder = Unimo(
        vocab_size=tokenizer.vocab_size,
        width=model.width,
        layers=model.layers,
        heads=model.heads,
        feature_width=store.meta.feature_width,
        max_positions=model.max_positions,
        dropout=model.dropout,
        attention_dropout=model.attention_dropout,
    )
    return UnimoForPretraining(encoder, len(store.meta.classes))


def sizes_of(model: UnimoForPretraining) -> ModelSizes:
    """Return the numbers that a checkpoint needs beside its weights to be converted or started from."""
    encoder = model.encoder
    return ModelSizes(
        vocab_size=encoder.vocab_size,
        width=encoder.width,
        layers=len(encoder.layers),
        heads=encoder.heads,
        max_positions=encoder.position_embedding.weight.shape[0],
        feature_width=encoder.feature_width,
        classes=model.region_classifier.projection.weight.shape[1],
    )


def load_model(run: PretrainRun, weights: Path, tokenizer: Tokenizer, store: RegionStore) -> UnimoForPretraining:
    """Build the model with trained weights, ready to answer (no dropout)."""
    require_same_data(weights, data_facts(tokenizer, store))
    model = build_model(run, tokenizer, store)
    restore_model(model, read_weights(weights), weights)
    model.eval()
    return model


def retrieval_scores(
    run: PretrainRun, weights: Path, image_ids: Sequence[str], captions: Sequence[str]
) -> NDArray[np.float32]:
    """Score every caption with every image; return float32 [captions, images]."""
    tokenizer, store = load_tokenizer(run.data.tokenizer), RegionStore(run.data.regions)
    missing = [image_id for image_id in image_ids if image_id not in store]
    if missing:
        raise UserError(
            f"{run.data.regions} lacks the regions of {len(missing)} of {len(image_ids)} images, e.g. "
            f"{', '.join(missing[:5])}; extract them: tools/extract.py --detector DIR --corpus {run.data.corpus} "
            f"--out {store.path}; pictures that it skips are named in {store.path / 'skipped.txt'}: mend them first"
        )
    model = load_model(run, weights, tokenizer, store)
    images = [encode_image(store.read(image_id), image_id, run.data.max_regions) for image_id in image_ids]
    tokens = tokenizer.encode_batch(captions)
    texts = [encode_text(one, tokenizer.cls, tokenizer.sep, run.data.max_tokens) for one in tokens]
    scorer = PairScorer(model, images, texts, run.evaluation.batch)
    return scorer.joint() if run.evaluation.encoding == "joint" else scorer.separate()


def evaluate(run: PretrainRun, weights: Path, sheet: Path | None) -> dict[str, float | int]:
    """Zero-shot retrieval on the run's evaluation split, both ways; print the table, return it flat.

    sheet: PNG to draw of some pictures with their regions and the captions found for them.
    """
    found = candidates(
        Corpus(run.data.corpus), run.evaluation.split, run.evaluation.captions_per_image, run.evaluation.answers
    )
    say(f"{len(found.image_ids)} images and {len(found.captions)} captions of split {run.evaluation.split!r}")
    rows = list(range(0, len(found.image_ids), max(1, len(found.image_ids) // SHEET_ROWS)))[:SHEET_ROWS]
    shown = sheet_pictures(run, found, rows, sheet) if sheet else []  # first: a missing one must not cost the scores
    scores = retrieval_scores(run, weights, found.image_ids, found.captions)
    directions = {
        "image to text": recall(scores.T, found.is_right.T, KS),
        "text to image": recall(scores, found.is_right, KS),
    }
    for line in table(directions):
        say(line)
    if sheet:
        draw_sheet(found, scores, shown, rows, sheet)
        say(f"pictures with their regions and the captions found: {sheet}")
    return as_json(directions)


def sheet_pictures(run: PretrainRun, found: Candidates, rows: Sequence[int], sheet: Path) -> list[Image.Image]:
    """Return the images of these rows with their regions drawn; UserError when one, or the sheet, cannot be had."""
    from unimo_paddle.vision.pictures import open_upright
    from unimo_paddle.vision.show import draw_regions

    if sheet.is_dir():
        raise UserError(f"--sheet {sheet} is a folder; name a PNG file")
    store = RegionStore(run.data.regions)
    return [
        draw_regions(open_upright(found.image_paths[i]), store.read(found.image_ids[i]), store.meta.classes)
        for i in rows
    ]
