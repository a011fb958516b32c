"""The detector's wiring: annotations -> batches -> trainer -> a folder for tools/extract.py.

PaddleDetection takes seconds to load: only a detector waits for it, so it is imported inside the functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unimo_paddle.build.training import rate_of, trainer
from unimo_paddle.config import DetectorRun
from unimo_paddle.console import say
from unimo_paddle.data.prefetch import Prefetch
from unimo_paddle.distributed import world_size
from unimo_paddle.engine.run_directory import claim_directory
from unimo_paddle.errors import UserError
from unimo_paddle.files import read_json, sha256_of

if TYPE_CHECKING:
    from unimo_paddle.vision.annotations import Annotations, Scene
    from unimo_paddle.vision.compat import RegionDetector
    from unimo_paddle.vision.detector import StoredDetector
    from unimo_paddle.vision.map_cache import MapCache
    from unimo_paddle.vision.settings import DetectorSettings


def train_detector(run: DetectorRun, restart: bool, resume: Path | None) -> None:
    """Wire the detector: annotations -> batches -> trainer -> a folder for tools/extract.py.

    Where the backbone is frozen its maps are computed once; else each step decodes its pictures, one step ahead.
    The folder `detector` in the run's directory appears when training is done; see finish_detector.
    """
    from unimo_paddle.vision import batches, detector, settings, training

    if world_size() > 1:
        raise UserError(f"a detector is trained by one process, not by {world_size()}; start it without a launcher")
    shown = read_pictures(run, run.data.train)
    judged = read_pictures(run, run.data.validation).scenes if run.data.validation else ()
    shape = detector_shape(run, shown)
    model = detector.build_detector(shape)
    source = run.detector.backbone_weights or detector.packaged_weights(run.detector.backbone)
    detector.read_backbone_weights(model, source)
    kept = run.extraction
    choice = settings.Choice(kept.score_threshold, kept.min_regions, kept.max_regions)
    order, attributes = batches.SceneOrder(shown.scenes, run.data.batch, run.train.seed), len(shape.attributes)
    with claim_directory(run, restart, resume) as directory:
        made: batches.MapBatches | batches.PictureBatches
        if shape.kind.is_frozen:
            made = batches.MapBatches(order, backbone_maps(model, shown, shape, source, directory), attributes)
        else:
            sides = shape.short_side, shape.long_side
            made = batches.PictureBatches(order, sides, model.backbone.normalise, attributes)
        with Prefetch(made.batch) as ahead:
            work = training.DetectorWork(model, ahead.batch, shape.kind.is_frozen)
            rate = rate_of(run.optimizer, run.train.steps)
            trainer(work, run.optimizer, rate, run.train, training.WEIGHTS, directory).run()
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
