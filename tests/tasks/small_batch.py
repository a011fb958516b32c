"""A batch of three small pairs with every part that a step may have, made without a corpus."""

import numpy as np

from unimo_paddle.data import masking
from unimo_paddle.data.batch import (
    Batch,
    Candidates,
    ContrastPart,
    LanguagePart,
    Part,
    Parts,
    VisualPart,
    language_labels,
    pad,
    pad_in_chunks,
    visual_labels,
)
from unimo_paddle.data.encode import ImageRow, TextRow
from unimo_paddle.data.patterns import bidirectional, image_prefix, separate

FEATURES, CLASSES, MASK = 6, 5, 29
SHAPES = [(4, 9), (7, 5), (3, 12)]  # regions and words of each pair
POSITIVES, NEGATIVES = 1, 2
FOUND = 2, 3  # images and texts that are retrieved for each pair
EVERYTHING = Parts()


def make_image(rng: np.random.Generator, regions: int) -> ImageRow:
    corners = np.sort(rng.uniform(0, 100, (regions + 1, 2, 2)), axis=1).reshape(-1, 4)
    locations = np.concatenate([corners / 100, rng.uniform(0, 1, (regions + 1, 1))], axis=1)
    probs = rng.dirichlet(np.ones(CLASSES), regions + 1)
    features = rng.normal(size=(regions + 1, FEATURES))
    return ImageRow(*(array.astype(np.float32) for array in (features, locations, probs, corners)))


def make_text(rng: np.random.Generator, words: int) -> TextRow:
    ids = np.concatenate([[0], rng.integers(4, MASK, words), [2]])
    starts = np.concatenate([[True], rng.random(words) < 0.7, [True]])
    return TextRow(ids, np.arange(2, words + 4), starts)


def make_batch(objective: str, parts: Parts = EVERYTHING, found: tuple[int, int] = FOUND) -> Batch:
    """Three pairs of different lengths. The last lacks its last negative, the second all but its first retrieved image
    and the first its last retrieved text. found: images and texts retrieved for each."""
    rng = np.random.default_rng(5)
    images = [make_image(rng, regions) for regions, _ in SHAPES]
    texts = [make_text(rng, words) for _, words in SHAPES]
    made: list[Part] = []
    if parts.hides_words(objective):
        made.append(make_language(images, texts, objective))
    if parts.visual:
        made.append(make_visual(images, texts))
    if parts.contrast or parts.in_batch:
        made.append(make_contrast(images, texts, parts, found))
    return Batch("pair", ["a", "b", "c"], tuple(made))


def make_contrast(
    images: list[ImageRow], texts: list[TextRow], parts: Parts, found: tuple[int, int]
) -> ContrastPart:
    belongs = np.eye(3, dtype=bool)
    belongs[0, 2] = belongs[2, 0] = True
    apart = [separate(len(image.features), len(text.ids)) for image, text in zip(images, texts, strict=True)]
    needs_apart = parts.in_batch or (parts.contrast and sum(found) > 0)
    return ContrastPart(
        candidates=make_candidates(images, *found) if parts.contrast else None,
        apart=pad(images, texts, apart) if needs_apart else None,
        belongs=belongs if parts.in_batch else None,
    )


def make_language(images: list[ImageRow], texts: list[TextRow], objective: str) -> LanguagePart:
    """images: of the texts, or none at all."""
    rng, image_rows = np.random.default_rng(6), [len(image.features) for image in images] or [0] * len(texts)
    if objective == "seq2seq":
        cut = [masking.cut_fragments(text, rng, 0.4) for text in texts]
        reads = [image_prefix(rows, c.n_source, c.n_target) for rows, c in zip(image_rows, cut, strict=True)]
        hidden: list[masking.HiddenText] = list(cut)
    else:
        hidden = [masking.mask_spans(text, rng, MASK, 0.4) for text in texts]
        reads = [bidirectional(rows, len(t.ids)) for rows, t in zip(image_rows, texts, strict=True)]
    sequences = pad(images, [one.text for one in hidden], reads)
    return LanguagePart(objective, sequences, language_labels(hidden, sequences.token_ids.shape[1]))


def make_visual(images: list[ImageRow], texts: list[TextRow]) -> VisualPart:
    """texts: of the images, or none at all."""
    rng, words = np.random.default_rng(7), [len(text.ids) for text in texts] or [0] * len(images)
    regions = [masking.mask_regions(image, rng, 0.4, 0.3) for image in images]
    both = [bidirectional(len(i.features), n) for i, n in zip(images, words, strict=True)]
    sequences = pad([one.image for one in regions], texts, both)
    return VisualPart(sequences, visual_labels(regions, images, sequences.features.shape[1]))


def make_candidates(images: list[ImageRow], n_images: int, n_texts: int) -> Candidates:
    rng, group = np.random.default_rng(8), 1 + POSITIVES + NEGATIVES
    joint = [make_text(rng, words) for _ in images for words in range(4, 4 + group)]
    found = [make_image(rng, 2 + k) for k in range(3 * n_images)]
    told = [make_text(rng, 3 + k) for k in range(3 * n_texts)]
    is_real = np.ones((3, group + n_images + n_texts), bool)
    is_real[2, group - 1] = False
    is_real[1, group + 1 : group + n_images] = False
    if n_texts:
        is_real[0, -1] = False
    is_positive = np.array([[k <= POSITIVES or k >= group for k in range(is_real.shape[1])]] * 3)
    return Candidates(
        joint=pad_in_chunks(images, joint, np.repeat(np.arange(3), group)),
        images=pad_in_chunks(found, []) if found else None,
        texts=pad_in_chunks([], told) if told else None,
        is_positive=is_positive,
        is_real=is_real,
    )
