"""What the planner says a step takes, and what it took: one kind of step in a process of its own, on a CPU.

    python -m tests.bench.planned_memory KIND MODEL.RECOMPUTE [KEY=VALUE ...]

The last line is JSON: planned and measured bytes (peak of the resident set, less what a tiny step left), and the ratio.
The C library is told to give freed memory back, so that the resident set is what is needed; the tools tell it to keep
it (unimo_paddle/environment.py), which is faster and takes up to 1.4 times as much.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.engine.full_examples import full_examples, full_image, full_text
from unimo_paddle.build.pretraining import pair_settings
from unimo_paddle.config import PretrainRun, load_run
from unimo_paddle.data import masking, patterns
from unimo_paddle.data.batch import LanguagePart, Part, VisualPart, language_labels, pad, sequences_of, visual_labels
from unimo_paddle.data.examples import make_parts

ROOT = Path(__file__).resolve().parents[2]
FRUGAL = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16), "MALLOC_TRIM_THRESHOLD_": str(1 << 17), "MALLOC_TOP_PAD_": "0"}
SETTINGS = [
    "data.retrieved_images=1", "data.retrieved_texts=1", "data.negatives=3", "objectives.in_batch=0", "data.multiple=1",
    "model.dropout=0.1", "model.attention_dropout=0.1", "data.rows=1000000", "texts.tokens=none", "images.regions=none",
]  # fmt: skip
TINY = ["model.width=16", "model.heads=2", "model.layers=1"]


def measured(kind: str, recompute: bool, count: int, settings: Sequence[str]) -> dict[str, float]:
    """Make some steps in a fresh process; return planned, measured and ratio."""
    words = [sys.executable, "-m", "tests.bench.planned_memory", kind, str(recompute).lower(), str(count), *settings]
    env = {**os.environ, **FRUGAL, "UNIMO_PADDLE_TUNED": "1", "FLAGS_use_stride_kernel": "0"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(kind: str, recompute: str, count: str, *settings: str) -> None:
    path, words = ROOT / "configs" / "pretrain_tiny.yaml", [*SETTINGS, f"model.recompute={recompute}", *settings]
    take_steps(load_run(path, [*words, *TINY]), kind, 2)
    gc.collect()
    before = resident("VmRSS")
    planned = take_steps(load_run(path, words), kind, int(count))
    taken = resident("VmHWM") - before
    print(json.dumps({"planned": planned, "measured": taken, "ratio": planned / taken}))


def take_steps(run: PretrainRun, kind: str, count: int) -> int:
    """Make two steps, with all moments there; return the planned bytes.

    Less the gradients that this kind lacks: a text has none for the image projection, an image none for the words."""
    import paddle

    from unimo_paddle.engine.optimizer import Adam
    from unimo_paddle.engine.plan import memory, sizes
    from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
    from unimo_paddle.tasks.pretraining import Pretraining

    shape, model = sizes.sizes_of(run), run.model
    encoder = Unimo(
        shape.vocab_size, shape.width, shape.layers, shape.heads, shape.feature_width or 0, shape.max_positions,
        model.dropout, model.attention_dropout, recompute=model.recompute,
    )  # fmt: skip
    network = UnimoForPretraining(encoder, shape.classes or 0)
    network.train()
    work, adam, parts = Pretraining(network, lambda step: None, 1.0), Adam(network), parts_of(run, kind, count)
    for parameter in network.parameters():  # the other kinds of steps of a run would have made all moments
        parameter.grad = paddle.zeros_like(parameter)
    adam.step(0.0)
    for _ in range(2):
        for part in parts:
            paddle.add_n([term.sum for term in work.losses(part).values()]).backward()
        lacking = sum(4 * int(p.size) for p in network.parameters() if p.grad is None)
        adam.step(1e-4)
    parameters = sizes.all_parameters(shape), sizes.layered_parameters(shape), shape.layers
    state = memory.state_bytes(*parameters, run.precision, run.parallel, 1).total
    largest = max(memory.part_bytes(part, shape, memory.numbers_of(run)).peak for part in parts)
    return state - lacking + largest + sum(array_bytes(part) for part in parts)


def parts_of(run: PretrainRun, kind: str, count: int) -> list[Part]:
    rng, rates = np.random.default_rng(5), run.masking
    if kind == "pair":
        return list(make_parts(full_examples(run, count), pair_settings(run), 5, "seq2seq", None))
    if kind == "image":
        images = [full_image(rng, run) for _ in range(count)]
        hidden = [masking.mask_regions(one, rng, rates.region_rate, rates.region_overlap) for one in images]
        width = run.data.max_regions + 1
        sequences = pad([one.image for one in hidden], [], [patterns.bidirectional(width, 0)] * count)
        return [VisualPart(sequences, visual_labels(hidden, images, width))]
    texts = [full_text(rng, run, run.texts.max_tokens) for _ in range(count)]
    cut = [masking.cut_fragments(text, rng, rates.fragment_rate) for text in texts]
    sequences = pad([], [one.text for one in cut], [patterns.seq2seq(one.n_source, one.n_target) for one in cut])
    return [LanguagePart("seq2seq", sequences, language_labels(cut, sequences.token_ids.shape[1]))]


def array_bytes(part: Part) -> int:
    """The batch itself, which lies beside the tensors made of it."""
    arrays = [array for one in sequences_of(part) for array in vars(one).values() if array is not None]
    return sum(int(array.nbytes) for array in arrays)


def resident(name: str) -> int:
    """VmRSS: now; VmHWM: the most so far; in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[name].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
