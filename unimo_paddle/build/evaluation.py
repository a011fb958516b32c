"""Evaluation of a trained model: zero-shot retrieval on a held-out split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unimo_paddle.build.models import load_model
from unimo_paddle.config import PretrainRun
from unimo_paddle.console import say
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.encode import encode_image, encode_text
from unimo_paddle.data.tokenizer import load_tokenizer
from unimo_paddle.engine.evaluate import KS, as_json, table
from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.errors import UserError
from unimo_paddle.metrics.retrieval import recall
from unimo_paddle.regions import RegionStore
from unimo_paddle.retrieval import Candidates, candidates, draw_sheet

SHEET_ROWS = 12


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


def evaluate_retrieval(run: PretrainRun, weights: Path, sheet: Path | None) -> dict[str, float | int]:
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
