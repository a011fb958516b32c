"""Six held-out pairs with regions and captions, one picture of them on the disk, and a model with random weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.small_corpus import write_store
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.probes.held_out import HeldOut, held_out
from unimo_paddle.regions import RegionStore
from unimo_paddle.retrieval import Candidates

CAPTIONS = ["a dog near a pond", "two cats", "a photo of a dog", "one cat and a dog", "two cats", "a pond"]


@dataclass(frozen=True)
class Pieces:
    found: Candidates
    store: RegionStore
    tokenizer: Tokenizer
    pairs: HeldOut
    model: UnimoForPretraining


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("probes")
    store = write_store(folder / "regions", "image", len(CAPTIONS))
    ids = [f"image{n}" for n in range(len(CAPTIONS))]
    Image.fromarray(np.full((100, 200, 3), (200, 40, 40), np.uint8)).save(folder / "image0.png")
    (folder / "image1.png").write_bytes(b"no picture")
    right = np.array([[mine == other for other in CAPTIONS] for mine in CAPTIONS])
    found = Candidates(ids, [folder / f"{name}.png" for name in ids], CAPTIONS, right)
    tokenizer = train_tokenizer(CAPTIONS * 3, 300, lowercase=True)
    pairs = held_out(found, store, tokenizer, 5, max_regions=6, max_tokens=12)
    rng = np.random.default_rng(2)
    model = UnimoForPretraining(Unimo(tokenizer.vocab_size, 16, 2, 2, feature_width=4), classes=3)
    for parameter in model.parameters():
        parameter.set_value(rng.normal(0, 0.4, parameter.shape).astype(np.float32))
    model.eval()
    return Pieces(found, store, tokenizer, pairs, model)
