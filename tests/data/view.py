"""The parts of a batch by name, as the tests look at them."""

from dataclasses import dataclass

import numpy as np

from unimo_paddle.data.batch import (
    Batch,
    Candidates,
    Chunks,
    ContrastPart,
    LanguagePart,
    Sequences,
    VisualPart,
)
from unimo_paddle.data.encode import Bools


@dataclass(frozen=True)
class View:
    """A batch with at most one part of each sort; None where a part is not made."""

    ids: list[str]
    language: LanguagePart | None
    visual: VisualPart | None
    contrast: Candidates | None
    apart: Sequences | None
    belongs: Bools | None

    @property
    def objective(self) -> str:
        assert self.language
        return self.language.objective


def merged(chunks: Chunks | None) -> Sequences | None:
    """Return the sequences of one chunk as they were before they were sorted, each with its own copy of its image."""
    if chunks is None:
        return None
    (part,) = chunks.parts
    own = np.arange(len(part.is_pad)) if part.image_of is None else part.image_of
    arrays = {name: value for name, value in vars(part).items() if value is not None and name != "image_of"}
    arrays |= {name: arrays[name][own] for name in ("features", "locations")}
    return Sequences(**{name: value[chunks.back] for name, value in arrays.items()})


def view(batch: Batch) -> View:
    """Return the batch's parts by name; AssertionError when there are two of a sort."""
    by_sort: dict[type, object] = {type(part): part for part in batch.parts}
    assert len(by_sort) == len(batch.parts), "accumulated batches have several parts of a sort"
    language, visual, contrast = (by_sort.get(sort) for sort in (LanguagePart, VisualPart, ContrastPart))
    assert contrast is None or isinstance(contrast, ContrastPart)
    fields = (contrast.candidates, contrast.apart, contrast.belongs) if contrast else (None, None, None)
    return View(batch.ids, language, visual, *fields)
