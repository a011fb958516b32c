"""Pretraining on the small corpus with all objectives, for one process or, run as a program under the launcher, many.

Usage: ... small_pretraining FOLDER OUT ACCUMULATE,SHARDING ...

FOLDER: from write_world(). Rank 0 writes OUT-ACCUMULATE-SHARDING.json, the steps' numbers, and .npz, the last weights;
every rank prints what it holds.
"""

import json
import sys
import tempfile
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import paddle

from tests.data.small_corpus import IMAGES, SETTINGS, caption, sentence, write_corpus, write_store
from unimo_paddle.config.engine import TrainSettings
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.stream import PairStream
from unimo_paddle.data.tokenizer import load_tokenizer, train_tokenizer
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.checkpoint import Checkpoints, model_arrays
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam, learning_rate
from unimo_paddle.engine.trainer import Trainer
from unimo_paddle.model.flops import part_cost
from unimo_paddle.model.model_folder import ModelSizes
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.regions import RegionStore
from unimo_paddle.tasks.pretraining import Pretraining

STEPS = 6
WEIGHTS = {"masked_language": 1.0, "seq2seq": 1.0, "region_regression": 0.5, "region_classification": 1.0,
           "contrastive": 1.0, "in_batch": 0.7}  # fmt: skip
SIZES = ModelSizes(vocab_size=300, width=16, layers=2, heads=2, max_positions=64, feature_width=4, classes=3)


class Work(Pretraining):
    def cost(self, part):
        return part_cost(part, SIZES)


def write_world(folder):
    """Corpus, regions of its images and of the retrieved ones, tokenizer."""
    write_corpus(folder / "corpus")
    write_store(folder / "regions", "image", IMAGES)
    write_store(folder / "found", "found", 10, first=20)
    texts = [caption(i) for i in range(30)] + ["right wrong number", sentence(3)]
    train_tokenizer(texts, SIZES.vocab_size, lowercase=False).save(folder / "tokenizer")


def stream_of(folder, accumulate):
    settings = replace(SETTINGS, rows=200, multiple=8, accumulate=accumulate)
    return PairStream(
        Corpus(folder / "corpus"), "train", RegionStore(folder / "regions"), load_tokenizer(folder / "tokenizer"),
        settings, seed=1, rank=rank(), world=world_size(), image_store=RegionStore(folder / "found"),
    )  # fmt: skip


def model_of(seed=4, dropout=0.0, **more):
    paddle.seed(seed)
    encoder = Unimo(SIZES.vocab_size, SIZES.width, SIZES.layers, SIZES.heads, SIZES.feature_width, SIZES.max_positions,
                    dropout=dropout, attention_dropout=dropout, **more)  # fmt: skip
    return UnimoForPretraining(encoder, SIZES.classes)


def trainer_of(folder, directory, accumulate=1, sharding=1, model=None, batch=None, **more):
    model = model or model_of(seed=4 + rank())  # the first rank's weights must reach the others
    return Trainer(
        work=Work(model, batch or stream_of(folder, accumulate).batch, temperature=0.5),
        optimizer=Adam(model, weight_decay=0.01, sharding=sharding),
        rate=partial(learning_rate, peak=2e-3, warmup=2, total=STEPS),
        checkpoints=Checkpoints(directory / "checkpoints", keep_last=1),
        log=Log(directory, log_every=10, steps=STEPS),
        weights=WEIGHTS,
        settings=TrainSettings(steps=STEPS, save_every=STEPS, seed=3, accumulate=accumulate),
        directory=directory,
        **more,
    )


def train(folder, directory, accumulate, sharding):
    """Return the steps' records, the last weights, and the bytes of Adam's state that this rank holds."""
    trainer = trainer_of(folder, directory, accumulate, sharding)
    trainer.restore()
    records = [trainer.train_step(step) for step in range(STEPS)]
    held = sum(tensor.numpy().nbytes for tensor in trainer.optimizer._rule.states().values())
    return records, model_arrays(trainer.work.model), held


def main(folder, out, *scenarios):
    for scenario in scenarios:
        accumulate, sharding = map(int, scenario.split(","))
        records, weights, held = train(Path(folder), Path(tempfile.mkdtemp()), accumulate, sharding)
        if rank() == 0:
            target = f"{out}-{accumulate}-{sharding}"
            Path(f"{target}.json").write_text(json.dumps([asdict(record) for record in records]))
            np.savez(f"{target}.npz", **weights)
        digest = float(sum(np.abs(array).sum(dtype=np.float64) for array in weights.values()))
        print("HOLDS", json.dumps([accumulate, sharding, held, digest]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
