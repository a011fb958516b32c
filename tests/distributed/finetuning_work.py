"""Fine-tuning and evaluation as the tools do them, one configuration after the other.

Usage, under the launcher or alone: python -m tests.distributed.finetuning_work RUN_NAME CONFIG ...

Runs go to RUN_NAME beside each configuration; every rank prints `SCORES JSON` for each.
"""

import json
import sys
from pathlib import Path

from unimo_paddle import build
from unimo_paddle.config import load_run
from unimo_paddle.distributed import sums


def train(name: str, config: Path) -> None:
    build.train(load_run(config, [f"output.directory={config.parent / name}"]))
    sums([0.0])  # the first process tidies up the checkpoints, which the others would read meanwhile


def scores(name: str, config: Path, *overrides: str) -> dict:
    """What tools/evaluate.py prints last, of the run's best checkpoint."""
    return build.evaluate(load_run(config, overrides), config.parent / name)


def main(name: str, *configs: str) -> None:
    for config in map(Path, configs):
        train(name, config)
        print("SCORES", json.dumps(scores(name, config)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
