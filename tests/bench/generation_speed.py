"""Texts beside transformers.generate, in turns on one machine: `make bench-generation`.

    python -m tests.bench.generation_speed --rounds 5

RoBERTa-base's shape, beam 5, 20 new tokens after 51 of prompt, float32, equal weights, one input and eight of them.
Four programs, each a process of its own, sleep until it is their turn (A B C D, A B C D, ..):

    native   this toolkit, model.operators native        plain    the same, Paddle's own operators
    torch    transformers.generate, its cache on, with the same threads and allocator
    uncached this toolkit's plain model over all of each text again for each token, of the last round alone

The texts of all four must be equal: where they are not, the run fails. The prompt is tokens, read from left to right,
for that is what transformers' decoder reads; 50 regions and [IMG] cost the same.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unimo_paddle.environment import available_cores, tune_process

if __name__ == "__main__":
    tune_process()

from tests.bench.step_speed import BUSY, Program
from unimo_paddle.console import run_tool, say
from unimo_paddle.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"vocab": 50265, "width": 768, "layers": 12, "heads": 12, "positions": 514, "spread": 0.04}
PROMPT, NEW, BEAMS, START, END = 51, 20, 5, 0, 2
KINDS = ("native", "plain", "uncached")


def prepare(folder: Path, python: Path) -> None:
    """Write a RoBERTa with random weights that never ends a text, and the same as ours."""
    options = [str(part) for key, value in SHAPE.items() for part in (f"--{key}", value)]
    script = ROOT / "tests" / "golden" / "make_roberta.py"
    subprocess.run([python, script, "make", folder / "theirs", "--only-safetensors", "--never", str(END), *options],
                   check=True, stderr=subprocess.DEVNULL)  # fmt: skip
    from unimo_paddle.model.convert import from_roberta

    from_roberta(folder / "theirs", folder / "ours")


def programs(folder: Path, batch: int, threads: int, python: Path) -> dict[str, Program]:
    """Return the programs of a batch size, not yet started; each leaves its texts in folder/NAME.npz."""
    prompts = np.random.default_rng(batch).integers(4, SHAPE["vocab"], (batch, PROMPT + 1))
    prompts[:, -1] = START
    np.save(folder / "prompts.npy", prompts)
    environment = {**os.environ, "MKL_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    options = {"num_beams": BEAMS, "max_new_tokens": NEW, "eos_token_id": END, "early_stopping": "never"}
    asked = {"folder": str(folder / "theirs"), "prompts": str(folder / "prompts.npy"), "threads": threads,
             "out": str(folder / "torch.npz"), "options": options}  # fmt: skip
    ours = [sys.executable, "-m", "tests.bench.generation_speed", "--folder", str(folder), "--worker"]
    made = {kind: Program([*ours, kind], {**os.environ, "MKL_NUM_THREADS": str(threads)}) for kind in KINDS}
    torch = [str(python), "tests/bench/torch_generate.py", json.dumps(asked)]
    return {"native": made["native"], "torch": Program(torch, environment), **made}


def worker(kind: str, folder: Path) -> None:
    """Answer each line of standard input, a number of runs, with the seconds of each."""
    run = our_run(kind, folder)
    for line in sys.stdin:
        say(json.dumps([run() for _ in range(int(line))]))


def our_run(kind: str, folder: Path) -> Callable[[], float]:
    """Return a function that generates once and returns its seconds."""
    from tests.bench.left_to_right import Continuing, Uncached
    from unimo_paddle.generation import Ids, Stepper, generate
    from unimo_paddle.model.cache import CachedDecoder
    from unimo_paddle.model.loading import load_weights
    from unimo_paddle.model.model_folder import read_model
    from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
    from unimo_paddle.task_spec import Decoding

    sizes = read_model(folder / "ours")[0]
    encoder = Unimo(sizes.vocab_size, sizes.width, sizes.layers, sizes.heads, sizes.feature_width or 4,
                    sizes.max_positions, operators="native" if kind == "native" else "plain")  # fmt: skip
    model = UnimoForPretraining(encoder, 4)
    load_weights(model, folder / "ours")
    model.eval()
    prompts = np.load(folder / "prompts.npy")[:, :-1]
    decoding = Decoding("beam", BEAMS, length_penalty=1.0, normalise="length", most=NEW)
    decoder = None if kind == "uncached" else CachedDecoder(encoder, model.language_head)

    def run() -> float:
        begun = time.perf_counter()
        stepper: Stepper = Continuing(decoder, prompts) if decoder else Uncached(model, prompts)
        found = generate(stepper, decoding, Ids(START, END, 1))
        seconds = time.perf_counter() - begun
        np.savez(folder / f"{kind}.npz", ids=np.array([some[0].ids for some in found]))
        return seconds

    return run


def measure(folder: Path, batch: int, threads: int, python: Path, rounds: int) -> dict[str, Program]:
    """Let the programs take their turns, one run each; the uncached one only once, in the end."""
    started = programs(folder, batch, threads, python)
    try:
        for name, program in started.items():
            say(f"batch {batch}: starting {name}")
            program.start()
            if name != "uncached":
                program.run(2)
        for number in range(rounds):
            for name, program in started.items():
                if name != "uncached" or number + 1 == rounds:
                    program.turns.append(program.run(1))
            say(f"batch {batch}, round {number + 1}: " + ", ".join(
                f"{name} {of.turns[-1].seconds[0]:.2f} s{' (busy)' if of.turns[-1].foreign > BUSY else ''}"
                for name, of in started.items() if of.turns))  # fmt: skip
    finally:
        for program in started.values():
            program.stop()
    compare(folder, list(started))
    return started


def compare(folder: Path, names: list[str]) -> None:
    """Raise UserError when the programs' texts differ."""
    texts = {name: np.load(folder / f"{name}.npz")["ids"][:, -NEW:] for name in names}
    wrong = [name for name in names if not np.array_equal(texts[name], texts["torch"])]
    if wrong:
        shown = {name: texts[name].tolist() for name in ("torch", wrong[0])}
        raise UserError(f"{', '.join(wrong)} generated other texts than torch: {shown}")


def report(done: dict[str, Program], batch: int) -> dict[str, object]:
    """Return seconds, tokens/s and ratios, and what to distrust."""
    quiet = all(any(turn.foreign <= BUSY for turn in program.turns) for program in done.values())
    seconds = {
        name: statistics.median(s for turn in program.turns if turn.foreign <= BUSY or not quiet for s in turn.seconds)
        for name, program in done.items()
    }
    return {
        "seconds": {name: round(one, 3) for name, one in seconds.items()},
        "tokens_per_second": {name: round(batch * NEW / one, 1) for name, one in seconds.items()},
        "native_to_torch": round(seconds["torch"] / seconds["native"], 2),
        "plain_to_torch": round(seconds["torch"] / seconds["plain"], 2),
        "native_to_uncached": round(seconds["uncached"] / seconds["native"], 1),
        "plain_to_uncached": round(seconds["uncached"] / seconds["plain"], 1),
        "trust": "quiet turns only" if quiet else "BUSY MACHINE: run it again when nothing else works",
    }


def main(words: list[str]) -> int:
    """Parse, measure, print; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--threads", type=int, default=available_cores())
    parser.add_argument("--torch-python", type=Path, default=ROOT / ".venv-slow" / "bin" / "python")
    parser.add_argument("--worker", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.worker:
        worker(args.worker, args.folder)
        return 0
    if not args.torch_python.exists():
        raise UserError(f"{args.torch_python} is absent; `make bench` makes it, or name a Python with torch")
    python = args.torch_python.absolute()
    with tempfile.TemporaryDirectory() as name:
        say("making the weights")
        prepare(Path(name), python)
        found = {f"batch_{batch}": report(measure(Path(name), batch, args.threads, python, args.rounds), batch)
                 for batch in args.batches}  # fmt: skip
    say(json.dumps({"threads": args.threads, "beams": BEAMS, "new_tokens": NEW, **found, "texts": "equal"}))
    return 0


if __name__ == "__main__":
    run_tool(main)
