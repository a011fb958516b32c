"""What is in a store: counts, sizes, classes, norms; as lines and as histograms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.console import progress
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_write
from unimo_paddle.regions import RegionStore

TOP = 10
BINS = 40


@dataclass(frozen=True)
class Stats:
    """Figures of a store. counts: regions of each image, of all images. The rest is of `looked_at` of them.

    areas: shares of the picture, [regions].  confidences: probability of the best class but the background.  norms:
    lengths of the features.  classes, attributes: how often each is the most probable, [C] and [A + 1].
    """

    store: RegionStore
    bytes: int
    looked_at: int
    counts: NDArray[np.int64]
    areas: NDArray[np.float64]
    confidences: NDArray[np.float64]
    norms: NDArray[np.float64]
    classes: NDArray[np.int64]
    attributes: NDArray[np.int64]

    def table(self) -> str:
        """Return lines for a terminal."""
        meta, images = self.store.meta, len(self.counts)
        lines = [
            f"family {meta.family}, features of {meta.feature_width} numbers, {len(meta.classes):,} classes (the best "
            f"{meta.kept} kept), {_attributes(self.store)}",
            f"{images:,} images, {self.counts.sum():,} regions, {self.bytes / 1e6:,.1f} MB: "
            f"{self.bytes / 1e6 / images:.3f} MB an image",
            f"of {self.looked_at:,} images:" if self.looked_at < images else "of all images:",
            f"  {'':<24}{'least':>10}{'5 %':>10}{'median':>10}{'95 %':>10}{'most':>10}{'mean':>10}",
            _row("regions of an image", self.counts),
            _row("share of the picture", self.areas),
            _row("confidence", self.confidences),
            _row("length of a feature", self.norms),
            f"  classes: {_top(meta.classes, self.classes)}",
        ]
        if meta.describes:
            lines.append(f"  attributes: {_top(meta.attributes, self.attributes)}")
        return "\n".join(lines)

    def draw(self, path: Path) -> None:
        """Draw histograms of regions, shares, confidences and lengths, and the most frequent classes, as a PNG."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(13, 7), layout="constrained")
        axes: Any = figure.subplots(2, 3).ravel()
        _histogram(axes[0], self.counts, "regions of an image", "images")
        _histogram(axes[1], self.areas, "share of the picture", "regions")
        _histogram(axes[2], self.confidences, "probability of the best class", "regions")
        _histogram(axes[3], self.norms, "length of a feature", "regions")
        _bars(axes[4], self.store.meta.classes, self.classes, "most probable class")
        if self.store.meta.describes:
            _bars(axes[5], self.store.meta.attributes, self.attributes, "most probable attribute")
        else:
            axes[5].axis("off")
        figure.suptitle(f"{self.store.path.name}: {len(self.counts):,} images, {self.store.meta.family}")
        with atomic_write(path) as file:
            figure.savefig(file, format="png")


def statistics(path: Path, images: int) -> Stats:
    """Count all regions of a store, and look at those of at most `images` images.

    UserError when it has none, or a shard that is looked at is not what was written.
    """
    store = RegionStore(path, checked=True)
    ids = store.ids
    if not ids:
        raise UserError(f"{path} has no images yet")
    chosen = ids[:: max(1, -(-len(ids) // images))]
    classes = np.zeros(len(store.meta.classes), np.int64)
    attributes = np.zeros(len(store.meta.attributes), np.int64)
    areas, sure, norms = [], [], []
    for image_id in progress(chosen, len(chosen), "looking at", "image"):
        regions = store.read(image_id)
        sides = (regions.boxes[:, 2:] - regions.boxes[:, :2]).astype(np.float64)
        areas.append(sides.prod(1) / (regions.width * regions.height))
        sure.append(regions.class_probs[:, 1:].max(1).astype(np.float64))
        norms.append(np.linalg.norm(regions.features.astype(np.float64), axis=1))
        classes += np.bincount(regions.class_probs[:, 1:].argmax(1) + 1, minlength=len(classes))
        if regions.attr_probs is not None:
            attributes += np.bincount(regions.attr_probs.argmax(1), minlength=len(attributes))
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return Stats(
        store, size, len(chosen), store.region_counts, np.concatenate(areas), np.concatenate(sure),
        np.concatenate(norms), classes, attributes,
    )  # fmt: skip


def _attributes(store: RegionStore) -> str:
    meta = store.meta
    if not meta.describes:
        return "no attributes"
    return f"{len(meta.attributes) - 1:,} attributes (the best {meta.attr_kept} kept)"


def _row(name: str, values: NDArray[Any]) -> str:
    figures = [*np.percentile(values, [0, 5, 50, 95, 100]), values.mean()]
    return f"  {name:<24}" + "".join(f"{figure:>10.4g}" for figure in figures)


def _top(names: tuple[str, ...], counts: NDArray[np.int64]) -> str:
    best = [i for i in np.argsort(-counts, kind="stable")[:TOP].tolist() if counts[i]]
    seen = int((counts > 0).sum())
    return ", ".join(f"{names[i]} {100 * counts[i] / counts.sum():.1f} %" for i in best) + f"; {seen:,} occur"


def _histogram(axes: Any, values: NDArray[Any], what: str, of: str) -> None:
    axes.hist(values, bins=BINS, color="tab:blue")
    axes.set(xlabel=what, ylabel=of)


def _bars(axes: Any, names: tuple[str, ...], counts: NDArray[np.int64], title: str) -> None:
    best = np.argsort(-counts, kind="stable")[:TOP][::-1].tolist()
    axes.barh([names[i] for i in best], [int(counts[i]) for i in best], color="tab:blue")
    axes.set(xlabel="regions", title=title)
