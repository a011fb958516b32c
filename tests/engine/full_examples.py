"""Examples in which every image and text is as long as a run's settings allow, made without data."""

import numpy as np

from unimo_paddle.config import PretrainRun
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.examples import Example


def full_examples(run: PretrainRun, count: int) -> list[Example]:
    rng, data = np.random.default_rng(3), run.data
    group, images, texts = 1 + data.positives + data.negatives, data.retrieved_images, data.retrieved_texts
    return [
        Example(
            id=str(i),
            image_id=str(i),
            image=full_image(rng, run),
            group=[full_text(rng, run, data.max_tokens) for _ in range(group)],
            images=[full_image(rng, run) for _ in range(images)],
            texts=[full_text(rng, run, data.max_tokens) for _ in range(texts)],
            is_real=[True] * (group + images + texts),
            rng=np.random.default_rng(i),
        )
        for i in range(count)
    ]


def full_image(rng: np.random.Generator, run: PretrainRun) -> ImageRow:
    rows, model = run.data.max_regions + 1, run.model
    corners = np.sort(rng.uniform(0, 100, (rows, 2, 2)), axis=1).reshape(-1, 4)
    arrays = (
        rng.normal(size=(rows, model.feature_width)),
        np.concatenate([corners / 100, rng.random((rows, 1))], axis=1),
        rng.dirichlet(np.ones(model.region_classes or 2), rows),
        corners,
    )
    return ImageRow(*(array.astype(np.float32) for array in arrays))


def full_text(rng: np.random.Generator, run: PretrainRun, tokens: int) -> TextRow:
    ids = np.concatenate([[0], rng.integers(4, (run.model.vocabulary or 6) - 1, tokens - 2), [2]])
    return TextRow(ids, np.arange(2, tokens + 2), np.ones(tokens, bool))
