"""Settings of fine-tuning on one task, and of judging a model on it."""
# ruff: noqa: RUF009 - setting() and section() are dataclasses.field() with a text; nothing is shared between runs

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path

from unimo_paddle.config.engine import AdamSettings, ParallelSettings, PrecisionSettings, TrainSettings
from unimo_paddle.config.schema import ModelSettings, OutputSettings
from unimo_paddle.config.setting import Faults, section, setting


@dataclass(frozen=True)
class TaskDataSettings:
    records: Path = setting(MISSING, "folder of SPLIT.jsonl, from tools/prepare.py task, or your own (docs/tasks.md)")
    tokenizer: Path = setting(MISSING, "folder with tokenizer.json, or with the released three files")
    regions: Path | None = setting(None, "region store of the images, from tools/extract.py; left out: text alone")
    detector: Path | None = setting(None, "detector that the regions are from, to predict from pictures",
                                    may_change=True)
    train_split: str = setting("train", "split to train on")
    batch: int = setting(32, "examples of a step, all GPUs together; the number of processes times train.accumulate "
                             "divides it", at_least=1)
    max_tokens: int = setting(512, "tokens of the text that is read, special ones counted (release: 512)", at_least=4)
    max_target: int = setting(128, "tokens of the text that is learnt to be generated, special ones counted",
                              at_least=2)
    max_regions: int = setting(100, "regions of an image, [IMG] not counted (release: 100)", at_least=1)
    max_tags: int = setting(100, "tokens of the object tags (release: 100)", at_least=1)
    negatives: int = setting(10, "retrieval: wrong images for a text, and wrong texts for an image, drawn at random "
                                 "(release: 10)", at_least=1)
    hard_negatives: int = setting(0, "retrieval: as many more of both, the hardest of data.pool for the model as it is",
                                  at_least=0)
    pool: int = setting(50, "retrieval: candidates of either kind that hard negatives are found among", at_least=1)

    def faults(self) -> Faults:
        if self.hard_negatives > self.pool:
            return [("hard_negatives", f"is {self.hard_negatives}, more than data.pool, {self.pool}, holds; lower it, "
                                       "or make the pool larger")]
        return []


@dataclass(frozen=True)
class EpochSettings:
    """As pretraining's, counted in epochs."""

    epochs: float = setting(10.0, "passes through the training split", above=0)
    seed: int = setting(1, "of new weights, order and dropout", at_least=0)
    log_every: int = setting(50, "steps between two lines on the console", at_least=1, may_change=True)
    save_every: int = setting(1000, "steps between two checkpoints", at_least=1, may_change=True)
    keep_last: int = setting(1, "checkpoints kept beside the best one, the newest ones", at_least=1, may_change=True)
    accumulate: int = setting(1, "micro-batches that a process's share of a step is cut into", at_least=1,
                              may_change=True)

    def __str__(self) -> str:
        return f"{self.epochs:g} epochs"

    def in_steps(self, steps_per_epoch: int) -> TrainSettings:
        """Return the settings of the loop."""
        steps = max(1, round(self.epochs * steps_per_epoch))
        return TrainSettings(steps, self.seed, self.log_every, self.save_every, self.keep_last, self.accumulate)


@dataclass(frozen=True)
class EpochOptimizerSettings(AdamSettings):
    """release.md section 9. The warm-up is a share of the schedule."""

    warmup: float = setting(0.06, "share of the schedule until the learning rate is at its peak", at_least=0, below=1)
    schedule: str = setting(
        "linear",
        "linear: meets at the peak; release: jumps at the end of the warm-up; epochs: drops to a tenth at drop_epochs; "
        "noam: falls with the root of the step",
        choices=("linear", "release", "epochs", "noam"),
    )
    drop_epochs: tuple[int, ...] = setting((24, 32), "schedule epochs: where the rate drops to a tenth", at_least=1)
    schedule_devices: int = setting(1, "the schedule is so many times as long as the run: the release's GLUE runs "
                                       "count one device's steps, but all devices take a share", at_least=1)


@dataclass(frozen=True)
class DecodingSettings:
    """What is left out is as the task says; the meanings: task_spec.py."""

    method: str | None = setting(None, "greedy, beam, diverse or nucleus", may_change=True,
                                 choices=("greedy", "beam", "diverse", "nucleus"))
    beams: int | None = setting(None, "hypotheses of a source", at_least=1, may_change=True)
    length_penalty: float | None = setting(None, "exponent of ((5 + length) / 6)", at_least=0, may_change=True)
    normalise: str | None = setting(None, "release: at every step; gnmt: in the end; length: in the end by length ** "
                                          "length_penalty", choices=("release", "gnmt", "length"), may_change=True)
    most: int | None = setting(None, "tokens of an answer at most, its end counted", at_least=1, may_change=True)
    least: int | None = setting(None, "tokens before an answer may end", at_least=0, may_change=True)
    block_trigrams: bool | None = setting(None, "no trigram of words twice", may_change=True)
    groups: int | None = setting(None, "groups of diverse beam search", at_least=1, may_change=True)
    diversity: float | None = setting(None, "what a token costs that another group chose", at_least=0, may_change=True)
    top_p: float | None = setting(None, "nucleus: share of the probability that is sampled from", above=0, at_most=1,
                                  may_change=True)
    temperature: float | None = setting(None, "nucleus: divides the logits", above=0, may_change=True)

    def given(self) -> dict[str, object]:
        """Return what is not left out."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class AdversarialTraining:
    """Adversarial training on embeddings (release.md section 7; VILLA, Gan et al. 2020; FreeLB, Zhu et al. 2020)."""

    steps: int = setting(0, "passes of a step, each with deltas moved on (release: 4); 0: none", at_least=0)
    on: str = setting("both", "what is disturbed: text and image (VILLA), or one of them (FreeLB)",
                      choices=("both", "text", "image"))
    lr: float = setting(0.05, "how far a delta moves in a pass", above=0)
    max_norm: float = setting(0.4, "longest delta of an example; 0: any", at_least=0)
    init: float = setting(0.4, "size of the first, random delta", at_least=0)
    kl_weight: float = setting(1.0, "weight of the divergence between clean and disturbed answers", at_least=0)
    clean: bool = setting(True, "learn from undisturbed inputs as well")
    project: str = setting("delta", "what max_norm is compared with: the delta (VILLA), or the gradient (the release)",
                           choices=("delta", "gradient"))
    kl_over_steps: str = setting("mean", "the divergences of the passes: their mean (VILLA), or sum (the release)",
                                 choices=("mean", "sum"))


@dataclass(frozen=True)
class RewardTraining:
    """Self-critical training of captions (Rennie et al. 2017): a sample is rewarded with its CIDEr-D above greedy's."""

    samples: int = setting(0, "samples of an image in a step; 0: learn from the references", at_least=0)
    temperature: float = setting(1.0, "of sampling", above=0)


@dataclass(frozen=True)
class TaskEvaluationSettings:
    split: str | None = setting(None, "split to judge on; left out: the task's first one", may_change=True)
    every: int = setting(0, "steps between two looks at evaluation.split, which pick the best checkpoint; 0: once an "
                            "epoch", at_least=0, may_change=True)
    examples: int | None = setting(None, "of the split, the first ones, while training; left out: all", at_least=2,
                                   may_change=True)
    batch: int = setting(64, "sequences encoded at once", at_least=1, may_change=True)
    shortlist: int = setting(0, "retrieval: candidates that separate encoding finds and that are read jointly; 0: all "
                                "are read jointly", at_least=0, may_change=True)


@dataclass(frozen=True)
class FinetuneRun:
    """Fine-tuning on one task."""

    task: str = setting(MISSING, "name of the task: tools/prepare.py task --help lists them")
    data: TaskDataSettings = section(TaskDataSettings)
    output: OutputSettings = section(OutputSettings)
    kind: str = setting("finetune", "what is trained", choices=("finetune",))
    model: ModelSettings = section(ModelSettings)
    train: EpochSettings = section(EpochSettings)
    optimizer: EpochOptimizerSettings = section(EpochOptimizerSettings)
    precision: PrecisionSettings = section(PrecisionSettings)
    parallel: ParallelSettings = section(ParallelSettings)
    decoding: DecodingSettings = section(DecodingSettings)
    adversarial: AdversarialTraining = section(AdversarialTraining)
    reward: RewardTraining = section(RewardTraining)
    smoothing: float = setting(0.1, "label smoothing of what is generated (release: 0.1)", at_least=0, below=1)
    evaluation: TaskEvaluationSettings = section(TaskEvaluationSettings)

    def faults(self) -> Faults:
        found: Faults = []
        room = self.model.max_positions - 2
        for name in ("max_tokens", "max_target", "max_tags"):
            if getattr(self.data, name) > room:
                found.append((f"data.{name}", f"is {getattr(self.data, name)}, but the position table has room for "
                                              f"{room}; raise model.max_positions or lower it"))
        if self.data.batch % self.train.accumulate:
            found.append(("train.accumulate", f"is {self.train.accumulate}, which does not divide data.batch, "
                                              f"{self.data.batch}; make that a multiple of it"))
        if self.adversarial.steps and self.reward.samples:
            found.append(("reward.samples", f"is {self.reward.samples}, but rewards are not learnt from disturbed "
                                            "inputs; set adversarial.steps to 0"))
        if self.parallel.stage == 3:
            found.append(("parallel.stage", "is 3, but to look at the dev split each process needs the whole model; "
                                            "set 2"))
        if self.parallel.stage > 1 and (self.adversarial.steps or self.reward.samples):
            found.append(("parallel.stage", f"is {self.parallel.stage}, but adversarial training and rewards run "
                                            "passes of their own, which processes that share gradients cannot; set 1"))
        return found
