"""Pretraining on the small corpus with all objectives, for one process or, run as a program under the launcher, many.

Usage: ... small_pretraining FOLDER OUT ACCUMULATE,SHARDING,STAGE ...

FOLDER: from write_world(). Rank 0 writes OUT-ACCUMULATE-SHARDING-STAGE.json, the steps' numbers, and .npz, the last
weights; every rank prints what it holds.
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
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.schedules import learning_rate
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


def trainer_of(folder, directory, accumulate=1, sharding=1, stage=1, model=None, batch=None, **more):
    model = model or model_of(seed=4 + rank())  # the first rank's weights must reach the others
    return Trainer(
        work=Work(model, batch or stream_of(folder, accumulate).batch, temperature=0.5),
        optimizer=Adam(model, weight_decay=0.01, sharding=sharding, stage=stage),
        rate=partial(learning_rate, peak=2e-3, warmup=2, total=STEPS),
        checkpoints=Checkpoints(directory / "checkpoints", keep_last=1),
        log=Log(directory, log_every=10, steps=STEPS),
        weights=WEIGHTS,
        settings=TrainSettings(steps=STEPS, save_every=STEPS, seed=3, accumulate=accumulate),
        directory=directory,
        **more,
    )


def bytes_of(tensors):
    return sum(4 * tensor.size for tensor in tensors if tensor is not None and tensor._is_initialized())


class Held:
    """The most bytes of gradients and of the encoder's layers that there were when a layer was through, forward or
    backward, and after a whole backward pass."""

    def __init__(self, trainer):
        self.trainer, self.layers = trainer, list(trainer.work.model.encoder.layers)
        self.most = {"gradients": 0, "sums": 0, "layers": 0}
        for layer in self.layers:
            layer.register_forward_post_hook(lambda *_: self.look("gradients", "layers"))
        optimizer = trainer.optimizer
        self.leave, self.collect = optimizer._leave, optimizer.collect
        if optimizer._layers:
            optimizer._layers._leave = self.through
        optimizer.collect = self.after_backward

    def through(self, layer):
        self.look("gradients", "layers")
        self.leave(layer)

    def after_backward(self):
        self.look("gradients")
        self.collect()
        self.look("sums")

    def now(self):
        shared = self.trainer.optimizer._gradients
        gradients = [p.grad for p in self.trainer.work.model.parameters()]
        found = bytes_of([*gradients, *(shared._sums.values() if shared else ())])
        layers = bytes_of(p for one in self.layers for p in one.parameters())
        return {"gradients": found, "sums": found, "layers": layers}

    def look(self, *names):
        now = self.now()
        for name in names:
            self.most[name] = max(self.most[name], now[name])


def train(folder, directory, accumulate, sharding, stage=1):
    """Return the steps' records, the last weights, and what this rank holds, in bytes: of Adam's state and of the
    layers after a step, and the most of gradients and layers within; digest: the sum of its weights."""
    trainer = trainer_of(folder, directory, accumulate, sharding, stage)
    trainer.restore()
    held = Held(trainer)
    records = [trainer.train_step(step) for step in range(STEPS)]
    adam = sum(tensor.numpy().nbytes for tensor in trainer.optimizer._rule.states().values())
    after = held.now()
    assert after["gradients"] == 0
    here = [p for p in trainer.work.model.parameters() if p._is_initialized()]
    digest = float(sum(np.abs(p.numpy()).sum(dtype=np.float64) for p in here))
    told = {"adam": adam, "layers after": after["layers"], **held.most, "digest": digest}
    return records, trainer.optimizer.arrays(), told


def main(folder, out, *scenarios):
    for scenario in scenarios:
        accumulate, sharding, stage = map(int, scenario.split(","))
        records, weights, held = train(Path(folder), Path(tempfile.mkdtemp()), accumulate, sharding, stage)
        if rank() == 0:
            target = f"{out}-{scenario.replace(',', '-')}"
            Path(f"{target}.json").write_text(json.dumps([asdict(record) for record in records]))
            np.savez(f"{target}.npz", **weights)
        print("HOLDS", json.dumps(held), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
