"""Settings of the training loop, whatever is trained: steps, optimizer, precision, processes, what is watched."""


from __future__ import annotations

from dataclasses import MISSING, dataclass

from unimo_paddle.config.setting import Faults, setting


@dataclass(frozen=True)
class AdamSettings:
    peak_lr: float = setting(5e-5, "highest learning rate (paper: 5e-5)", above=0)
    weight_decay: float = setting(0.01, "decoupled; not on biases and layer norms", at_least=0, below=1)
    betas: tuple[float, float] = setting((0.9, 0.98), "decay of Adam's two moments", at_least=0, below=1)
    epsilon: float = setting(1e-6, "added to the root of Adam's second moment", above=0)
    clip_norm: float = setting(1.0, "longest gradient, as one vector over all parameters", above=0)


@dataclass(frozen=True)
class OptimizerSettings(AdamSettings):
    warmup_steps: int = setting(0, "steps until the learning rate is at its peak", at_least=0)
    schedule: str = setting("linear", "linear: meets at the peak; release: jumps at the end of the warm-up "
                                      "(release.md section 9)", choices=("linear", "release"))


@dataclass(frozen=True)
class TrainSettings:
    steps: int = setting(MISSING, "optimizer steps in all", at_least=1)
    seed: int = setting(1, "of weights, order, masking and dropout", at_least=0)
    log_every: int = setting(50, "steps between two lines on the console", at_least=1, may_change=True)
    save_every: int = setting(1000, "steps between two checkpoints", at_least=1, may_change=True)
    keep_last: int = setting(3, "checkpoints kept, the newest ones", at_least=1, may_change=True)
    accumulate: int = setting(1, "micro-batches that a process's share of a step is cut into", at_least=1,
                              may_change=True)

    def __str__(self) -> str:
        return f"{self.steps:,} steps"


@dataclass(frozen=True)
class PrecisionSettings:
    """Mixed precision, on a GPU only. float32 stays for layer norms, softmax, losses and the optimizer's masters."""

    level: str = setting("O0", "O0: float32; O1: matrix products in half precision; O2: weights too, with masters",
                         choices=("O0", "O1", "O2"))
    dtype: str = setting("float16", "float16, scaled (V100), or bfloat16 (A100 and later)",
                         choices=("float16", "bfloat16"))
    scale: float = setting(2.0**15, "loss scale of float16 to start with", at_least=1)
    growth_steps: int = setting(1000, "steps without overflow until the scale doubles", at_least=1)


@dataclass(frozen=True)
class ParallelSettings:
    """Several processes, started by fleetrun. Data are always shared out; what else is, is set here."""

    sharding: int = setting(1, "neighbouring processes that share what `stage` says among them", at_least=1,
                            may_change=True)
    stage: int = setting(1, "1: Adam's moments; 2: gradients too; 3: weights of the encoder's layers too", at_least=1,
                         at_most=3, may_change=True)

    def faults(self) -> Faults:
        if self.stage > 1 and self.sharding == 1:
            return [("stage", f"is {self.stage}, but nobody shares; set parallel.sharding to the number of processes "
                              "that do")]
        return []


@dataclass(frozen=True)
class WatchSettings:
    """What is looked at while a run goes on, beside its losses. Nothing of it changes the run."""

    probe_every: int = setting(0, "steps between two probes: retrieval, pictures, captions; 0: none", at_least=0,
                               may_change=True)
    probe_pairs: int = setting(64, "held-out pairs (evaluation.split) that a probe looks at", at_least=2,
                               may_change=True)
    keep_best: str | None = setting(None, "value of the probe by which the best checkpoint is kept, the higher the "
                                          "better, e.g. joint_image_to_text_R@1", may_change=True)
    profile: tuple[int, ...] = setting((), "first and last step that paddle.profiler records; empty: none", at_least=1,
                                       may_change=True)
    peak_tflops: float | None = setting(None, "of one device, for the utilisation (MFU); left out: of known GPUs",
                                        above=0, may_change=True)

    def faults(self) -> Faults:
        found: Faults = []
        if self.profile and (len(self.profile) != 2 or self.profile[0] > self.profile[1]):
            found.append(("profile", f"is {list(self.profile)}; give the first and the last step, e.g. [100, 102]"))
        if self.keep_best and not self.probe_every:
            found.append(("keep_best", f"is {self.keep_best}, but nothing is probed; set watch.probe_every"))
        return found


def sharing_faults(parallel: ParallelSettings, precision: PrecisionSettings, watch: WatchSettings) -> Faults:
    """Return what does not go together with shared weights."""
    if parallel.stage < 3:
        return []
    found: Faults = []
    if precision.level == "O2":
        found.append(("parallel.stage", "is 3, which does not share half-precision weights (precision.level O2); "
                                        "set 2, or O1"))
    if watch.probe_every:
        found.append(("watch.probe_every", f"is {watch.probe_every}, but a probe is one process's, which has not the "
                                           "whole model at parallel.stage 3; set 0, or stage 2"))
    return found


def warmup_faults(optimizer: OptimizerSettings, train: TrainSettings) -> Faults:
    """Return what is wrong with a warm-up that leaves no step for the decay."""
    if optimizer.warmup_steps >= train.steps:
        return [("optimizer.warmup_steps", f"is {optimizer.warmup_steps}, which leaves nothing of the {train.steps} "
                                           "steps; make it smaller than train.steps")]
    return []
