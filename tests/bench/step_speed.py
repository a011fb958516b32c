"""A training step beside PyTorch's, in turns on one machine: `make bench`.

    python -m tests.bench.step_speed --rounds 5

RoBERTa-base's shape, 8 x 128 tokens of which every seventh is to be guessed, float32, dropout 0.1, clipping and AdamW.
Four programs, each a process of its own, sleep until it is their turn (A B C D, A B C D, ..):

    native   this toolkit, model.operators native        plain    the same, Paddle's own operators
    torch    transformers' layers, the same work with the same threads and allocator, fused AdamW
    untuned  RobertaForMaskedLM as one would write it at first: logits everywhere, nothing set

All four need 14 GB of memory together. A turn during which other processes had more than 5 % of the cores is marked and
left out while there are quiet ones.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from unimo_paddle.environment import available_cores, settings, tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool, say
from unimo_paddle.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"vocab": 50265, "width": 768, "layers": 12, "heads": 12, "batch": 8, "tokens": 128, "stride": 7}
TOKENS = SHAPE["batch"] * SHAPE["tokens"]
WARM, BUSY = 2, 0.05
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Turn:
    seconds: list[float]
    foreign: float   # share of all cores that other processes had meanwhile


@dataclass
class Program:
    """A process that runs as many steps as a line of its input says, and prints their seconds as a JSON list."""

    command: list[str]
    environment: dict[str, str]
    turns: list[Turn] = field(default_factory=list)

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=self.environment, cwd=ROOT, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip

    def run(self, steps: int) -> Turn:
        assert self.process.stdin and self.process.stdout
        begun, busy, own = time.monotonic(), busy_seconds(), self.cpu_seconds()
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self.command)} ended with status {self.process.wait()}")
        spent = (time.monotonic() - begun) * available_cores()
        foreign = (busy_seconds() - busy) - (self.cpu_seconds() - own)
        return Turn(json.loads(line), max(foreign, 0.0) / spent)

    def stop(self) -> None:
        """End the process, which reads to the end of its input."""
        if process := getattr(self, "process", None):
            process.communicate()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rate(self, quiet: bool) -> float:
        """Return tokens/s of the median step of all turns, or of the quiet ones."""
        turns = [turn for turn in self.turns if turn.foreign <= BUSY or not quiet]
        return TOKENS / statistics.median(second for turn in turns for second in turn.seconds)


def busy_seconds() -> float:
    """Return the CPU seconds of all processes since the machine started, those taken by other machines included."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICK


def step_flops() -> float:
    """Return the floating-point operations of one step's matrix products, 2 a multiplication with its addition.

    Linears 12 H^2 a layer and token, attention 2 S H more; in the last layer 2 H^2 a token, and the rest, like the
    head's H^2 + V H, a labelled token; the backward pass costs twice the forward pass.
    """
    width, layers, positions = SHAPE["width"], SHAPE["layers"], SHAPE["tokens"]
    labelled = -(-TOKENS // SHAPE["stride"])
    whole = TOKENS * (layers - 1) * (12 * width**2 + 2 * positions * width)
    last = TOKENS * 2 * width**2 + labelled * (10 * width**2 + 2 * positions * width)
    return 3 * 2.0 * (whole + last + labelled * (width**2 + SHAPE["vocab"] * width))


def product_rate() -> float:
    """Return the best of ten numpy matrix products of the model's largest shape, in operations a second."""
    import numpy as np

    left, right = np.ones((TOKENS, SHAPE["width"]), np.float32), np.ones((SHAPE["width"], 3072), np.float32)
    best = float("inf")
    for _ in range(10):
        begun = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - begun)
    return 2.0 * left.size * 3072 / best


def programs(threads: int, python: Path) -> dict[str, Program]:
    """Return the four programs, not yet started."""
    tuned = {**os.environ, "MKL_NUM_THREADS": str(threads)}
    bare = {name: value for name, value in os.environ.items() if name not in {*settings(), "UNIMO_PADDLE_TUNED"}}
    shape = SHAPE | {"threads": threads, "attention": "sdpa"}
    torch = [str(python), "tests/bench/torch_step.py"]
    ours = [sys.executable, "-m", "tests.bench.step_speed", "--worker"]
    return {
        "native": Program([*ours, "native"], tuned),
        "torch": Program([*torch, json.dumps(shape | {"variant": "tuned"})], tuned | {"OMP_NUM_THREADS": str(threads)}),
        "plain": Program([*ours, "plain"], tuned),
        "untuned": Program([*torch, json.dumps(shape | {"variant": "plain"})], bare),
    }


def worker(operators: str) -> None:
    """Answer each line of standard input, a number of steps, with the seconds of each."""
    step = our_step(operators)
    for line in sys.stdin:
        say(json.dumps([step() for _ in range(int(line))]))


def our_step(operators: str) -> Callable[[], float]:
    """Return a function that makes one training step and returns its seconds."""
    import numpy as np
    import paddle

    from unimo_paddle.engine.optimizer import Adam
    from unimo_paddle.model.inputs import Inputs, to_read
    from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
    from unimo_paddle.objectives import language

    paddle.seed(1)
    sizes = (SHAPE["vocab"], SHAPE["width"], SHAPE["layers"], SHAPE["heads"])
    model = UnimoForPretraining(Unimo(*sizes, feature_width=4, operators=operators), 4)
    optimizer = Adam(model, operators=operators)
    size = (SHAPE["batch"], SHAPE["tokens"])
    ids = np.random.default_rng(1).integers(3, SHAPE["vocab"], size)
    nothing, positions = np.zeros(size, np.int32), np.tile(np.arange(2, SHAPE["tokens"] + 2), (SHAPE["batch"], 1))
    no_image = [np.zeros((SHAPE["batch"], 0, width), np.float32) for width in (4, 5)]
    seqs = Inputs(*map(paddle.to_tensor, (*no_image, ids, positions, nothing, nothing, nothing.astype(bool))))
    rows = np.arange(0, TOKENS, SHAPE["stride"])
    targets = paddle.to_tensor(ids.reshape(-1)[rows])
    model.train()

    def step() -> float:
        begun = time.perf_counter()
        logits = model.language_logits(model(seqs, to_read(seqs, text=rows)))
        language.cross_entropy(logits, targets).mean().backward()
        optimizer.step(1e-4)
        return time.perf_counter() - begun

    return step


def measure(threads: int, python: Path, rounds: int, steps: int) -> tuple[dict[str, Program], float]:
    """Let the programs take their turns; return them and the best rate of matrix products, in operations a second."""
    started, best = programs(threads, python), 0.0
    try:
        for name, program in started.items():
            say(f"starting {name}")
            program.start()
            program.run(WARM)
        for number in range(rounds):
            best = max(best, product_rate())
            for program in started.values():
                program.turns.append(program.run(steps))
            say(f"round {number + 1}: " + ", ".join(describe(name, of.turns[-1]) for name, of in started.items()))
    finally:
        for program in started.values():
            program.stop()
    return started, best


def describe(name: str, turn: Turn) -> str:
    """Return a turn as words: tokens/s of its median step, marked when the machine was busy."""
    mark = f" (busy: others had {turn.foreign:.0%})" if turn.foreign > BUSY else ""
    return f"{name} {TOKENS / statistics.median(turn.seconds):.1f}{mark}"


def report(done: dict[str, Program], best: float) -> dict[str, object]:
    """Return rates in tokens/s, their ratios, the share of the machine's best matrix products, and what to distrust."""
    busy = {name: sum(turn.foreign > BUSY for turn in program.turns) for name, program in done.items()}
    quiet = all(busy[name] < len(program.turns) for name, program in done.items())
    rates = {name: program.rate(quiet) for name, program in done.items()}
    return {
        "tokens_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "native_to_torch": round(rates["native"] / rates["torch"], 3),
        "native_to_untuned": round(rates["native"] / rates["untuned"], 3),
        "native_to_plain": round(rates["native"] / rates["plain"], 3),
        "plain_to_torch": round(rates["plain"] / rates["torch"], 3),
        "gemm_gflops": round(best / 1e9, 1),
        "of_roofline": {name: round(step_flops() * rate / TOKENS / best, 3) for name, rate in rates.items()
                        if name != "untuned"},
        "busy_turns": busy,
        "trust": "quiet turns only" if quiet else "BUSY MACHINE: run it again when nothing else works",
    }  # fmt: skip


def main(words: list[str]) -> int:
    """Parse, measure, print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of a turn (default 3)")
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--torch-python", type=Path, default=ROOT / ".venv-slow" / "bin" / "python")
    parser.add_argument("--worker", choices=("native", "plain"), help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.worker:
        worker(args.worker)
        return 0
    if not args.torch_python.exists():
        raise UserError(f"{args.torch_python} is absent; `make bench` makes it, or name a Python with torch")
    os.environ["OPENBLAS_NUM_THREADS"] = str(args.threads)
    done, best = measure(args.threads, args.torch_python.absolute(), args.rounds, args.steps)
    say(json.dumps({"threads": args.threads, **report(done, best)}))
    return 0


if __name__ == "__main__":
    run_tool(main)
