"""Preflight of the small corpus, for one process or, run as a program under the launcher, many.

Usage: ... preflight_work FOLDER, from write_world().
"""

import sys
from pathlib import Path

from tests.distributed.small_pretraining import SIZES, model_of, trainer_of, write_world
from unimo_paddle import preflight
from unimo_paddle.build.pretraining import pair_settings
from unimo_paddle.config import load_run
from unimo_paddle.corpus import Corpus
from unimo_paddle.data.stream import PairStream
from unimo_paddle.data.tokenizer import load_tokenizer
from unimo_paddle.distributed import rank, world_size
from unimo_paddle.regions import RegionStore

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "pretrain_tiny.yaml"

__all__ = ["check", "run_of", "write_world"]


def run_of(folder, *more):
    return load_run(CONFIG, [
        f"data.corpus={folder / 'corpus'}", f"data.regions={folder / 'regions'}",
        f"data.tokenizer={folder / 'tokenizer'}", f"data.image_regions={folder / 'found'}", "data.retrieved_images=2",
        "data.retrieved_texts=3", "data.negatives=3", "data.positives=2", "data.rows=200", "data.max_tokens=40",
        "data.max_regions=5", "evaluation.answers=null",
        f"model.width={SIZES.width}", "model.heads=2", f"model.vocabulary={SIZES.vocab_size}", "model.feature_width=4",
        "model.region_classes=3", f"model.max_positions={SIZES.max_positions}",
        f"output.directory={folder / 'run'}", *more,
    ])  # fmt: skip


def check(folder, *more):
    """Return preflight's exit status."""
    run = run_of(folder, *more)

    def make(directory):
        stream = PairStream(
            Corpus(run.data.corpus), "train", RegionStore(run.data.regions), load_tokenizer(run.data.tokenizer),
            pair_settings(run), 1, rank(), world_size(), RegionStore(run.data.image_regions),
        )  # fmt: skip
        trainer = trainer_of(folder, directory, model=model_of(), batch=stream.batch)
        return preflight.Trial(trainer, lambda step: "pair")

    return preflight.run(run, make)


if __name__ == "__main__":
    raise SystemExit(check(Path(sys.argv[1])))
