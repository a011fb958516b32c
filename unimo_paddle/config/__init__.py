"""What a run is: frozen settings, read from YAML and the command line, checked before all else."""

from unimo_paddle.config.corpus import CorpusPlan
from unimo_paddle.config.engine import (
    AdamSettings,
    OptimizerSettings,
    ParallelSettings,
    PrecisionSettings,
    TrainSettings,
    WatchSettings,
)
from unimo_paddle.config.finetune import FinetuneRun
from unimo_paddle.config.load import Run, load_corpus_plan, load_run
from unimo_paddle.config.save import differences, fingerprint, run_from_directory, save_run
from unimo_paddle.config.schema import SIZES, DetectorRun, ModelSettings, PretrainRun

__all__ = [
    "SIZES",
    "AdamSettings",
    "CorpusPlan",
    "DetectorRun",
    "FinetuneRun",
    "ModelSettings",
    "OptimizerSettings",
    "ParallelSettings",
    "PrecisionSettings",
    "PretrainRun",
    "Run",
    "TrainSettings",
    "WatchSettings",
    "differences",
    "fingerprint",
    "load_corpus_plan",
    "load_run",
    "run_from_directory",
    "save_run",
]
