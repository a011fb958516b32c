"""Pretraining itself, small: the runs that test_resume.py interrupts.

Usage, under the launcher or alone: python -m tests.distributed.resume_work WORLD RUN DROPOUT SHARDING STAGE [TROUBLE]
TROUBLE: kill or stop, which rank 1 sends to itself in the middle, once; or slow: 0.3 seconds a step.
"""

import os
import signal
import time
from functools import partial
from pathlib import Path

import paddle

from tests.data.small_corpus import IMAGES, SETTINGS, caption, sentence, write_corpus, write_store
from unimo_paddle.config.engine import TrainSettings
from unimo_paddle.console import run_tool
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.stream import PairStream
from unimo_paddle.data.tokenizer import train_tokenizer
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.engine.checkpoint import Checkpoints
from unimo_paddle.engine.log import Log
from unimo_paddle.engine.optimizer import Adam
from unimo_paddle.engine.schedules import learning_rate
from unimo_paddle.engine.trainer import Trainer
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.regions import RegionStore
from unimo_paddle.tasks.pretraining import LANGUAGE, VISUAL, Pretraining

STEPS, SAVE_EVERY, TROUBLE_AT = 10, 3, 7
WEIGHTS = dict.fromkeys((*LANGUAGE.values(), *VISUAL, "contrastive", "in_batch"), 1.0)
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGUSR1}


def write_world(path: Path) -> None:
    """A corpus, its regions, and those of the images that are retrieved."""
    write_corpus(path / "corpus")
    write_store(path / "regions", "image", IMAGES)
    write_store(path / "found", "found", 10, first=20)


def make_work(world: Path, dropout: float) -> Pretraining:
    """All objectives, with the contrast over all ranks' pairs."""
    paddle.seed(5)
    tokenizer = train_tokenizer([*(caption(i) for i in range(30)), "right wrong number", sentence(3)], 300, False)
    stream = PairStream(
        Corpus(world / "corpus"), "train", RegionStore(world / "regions"), tokenizer, SETTINGS, 0,
        rank(), world_size(), RegionStore(world / "found"),
    )  # fmt: skip
    encoder = Unimo(tokenizer.vocab_size, 16, 2, 2, 4, max_positions=48, dropout=dropout, attention_dropout=dropout)
    return Pretraining(UnimoForPretraining(encoder, 3), stream.batch, temperature=0.5)


def with_trouble(work: Pretraining, run: Path, kind: str) -> Pretraining:
    """Let rank 1 meet its fate when it asks for the batch of step TROUBLE_AT, once. Or make every step slow."""
    batch, mark = work.batch, run / f"trouble-{kind}"

    def troubled(step: int):
        if kind == "slow":
            time.sleep(0.3)
        elif step == TROUBLE_AT and rank() == 1 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), SIGNALS[kind])
        return batch(step)

    work.batch = troubled
    return work


def train(world: Path, run: Path, dropout: float, sharding: int, stage: int = 1, trouble: str = "") -> None:
    work = make_work(world, dropout)
    if trouble:
        work = with_trouble(work, run, trouble)
    settings = TrainSettings(steps=STEPS, save_every=SAVE_EVERY, seed=3)
    rate = partial(learning_rate, peak=0.01, warmup=2, total=STEPS)
    checkpoints, log = Checkpoints(run / "checkpoints", keep_last=2), Log(run, log_every=5, steps=STEPS)
    # The match head's bias cancels in a softmax: with a small epsilon, round-off alone would decide where it goes.
    adam = Adam(work.model, epsilon=1e-3, sharding=sharding, stage=stage)
    Trainer(work, adam, rate, checkpoints, log, WEIGHTS, settings, run).run()


def main(words: list[str]) -> int:
    world, run, dropout, sharding, stage, *trouble = words
    train(Path(world), Path(run), float(dropout), int(sharding), int(stage), *trouble)
    return 0


if __name__ == "__main__":
    run_tool(main)
