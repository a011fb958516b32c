"""A step that failed, kept so that one process can run it again and see where the first bad number comes from.

    RUN/failed-step-00000014/config.yaml          settings of the run
                             step.json            which step, how many labels, weights of the objectives
                             weights.safetensors  the model before the step
                             rank-00005/          the batch of each rank that is to blame (flat.py)
"""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from unimo_paddle.config.save import SAVED
from unimo_paddle.console import describe, say
from unimo_paddle.distributed import rank, replayed, world_size
from unimo_paddle.engine.checkpoint import restore_model
from unimo_paddle.engine.flat import arrays_of, read_tree, write_tree
from unimo_paddle.engine.passes import Batch, Work, seed_dropout, weighted_sum
from unimo_paddle.engine.precision import Precision
from unimo_paddle.engine.snapshot import Arrays
from unimo_paddle.engine.together import together
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, read_json, write_json
from unimo_paddle.tensor_files import read_safetensors, write_safetensors

STEP, WEIGHTS = "step.json", "weights.safetensors"
LARGEST_SHOWN = 3


@dataclass(frozen=True)
class Failure:
    """step: counted from 0; counts: labels of each loss over all ranks; scale: of the loss; world: how many
    ranks there were."""

    step: int
    seed: int
    weights: dict[str, float]
    counts: dict[str, float]
    scale: float
    world: int = 1


def keep_failed(directory: Path, failure: Failure, batch: Batch | None, weights: Arrays) -> Path:
    """Write all that replay() needs and return the folder; all ranks call it. batch: of this rank, None when it is not
    to blame; weights: of the whole model, the first rank's are kept. A folder of the same step that is there gives way.
    What the system refuses is told: the failure itself is what people must hear of."""
    path = directory / f"failed-step-{failure.step + 1:08d}"
    try:
        with together():
            if rank() == 0:
                shutil.rmtree(path, ignore_errors=True)
                with atomic_directory(path) as folder:
                    _write_common(folder, directory, failure, weights)
        with together():
            if batch is not None:
                with atomic_directory(path / f"rank-{rank():05d}") as folder:
                    write_tree(folder, batch)
    except OSError as error:
        say(f"warning: the failed step was not kept: {describe(error)}")
    return path


def _write_common(folder: Path, directory: Path, failure: Failure, weights: Arrays) -> None:
    write_safetensors(folder / WEIGHTS, weights)
    write_json(folder / STEP, {**asdict(failure), "world": world_size()})
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(directory / SAVED, folder / SAVED)


def replay(directory: Path, work: Work, precision: Precision | None = None) -> list[str]:
    """Run a kept step again, in this one process, and return what a person needs to see where it went wrong.

    Of every part of every kept rank: its losses, the first layer whose output is not finite, and the gradient's length.
    Weights, batch, dropout are those of the failed step; of other ranks' rows (contrast over all ranks) there are only
    zeros. work.model takes the kept weights. Raises UserError when the folder holds no failed step or is damaged.
    """
    if not (directory / STEP).is_file():
        raise UserError(f"{directory} holds no {STEP}, so it is no failed step; name a folder RUN/failed-step-NUMBER")
    try:
        failure = Failure(**read_json(directory / STEP))
    except TypeError as fault:
        raise UserError(f"{directory / STEP} is damaged or of another program: {fault}") from fault
    restore_model(work.model, read_safetensors(directory / WEIGHTS), directory / WEIGHTS)
    work.model.train()
    lines = [f"step {failure.step + 1}, seed {failure.seed}, {failure.world} processes, loss scale {failure.scale:g}"]
    lines += [f"parameter {name} is not finite" for name, p in work.model.named_parameters() if not _is_finite(p)]
    for folder in sorted(directory.glob("rank-*")):
        place = int(folder.name.removeprefix("rank-"))
        with replayed(place, failure.world):
            lines += _replay_rank(place, read_tree(folder), failure, work, precision or Precision())
    return lines


def _replay_rank(place: int, batch: Batch, failure: Failure, work: Work, precision: Precision) -> list[str]:
    lines = [f"process {place}, {batch.kind}: {', '.join(map(str, batch.ids))}"]
    for key, array in arrays_of(batch).items():
        bad = int((~np.isfinite(array)).sum()) if array.dtype.kind == "f" else 0
        if bad:
            lines.append(f"  {bad} of {array.size} numbers of {key} are not finite")
    for number, part in enumerate(batch.parts):
        seed_dropout(failure.seed, failure.step, place, number)
        with watched(work.model) as found, precision.cast():
            terms = work.losses(part)
        told = [f"{name} {float(term.sum):g} / {failure.counts.get(name, 0):g}" for name, term in terms.items()]
        lines.append(f"  part {number} ({type(part).__name__}): {', '.join(told)}")
        lines += [f"    first output that is not finite: {one}" for one in found[:1]]
        total = weighted_sum(terms, failure.weights, failure.counts)
        if total is not None:
            (total * failure.scale).backward()
            lines.append(f"    {gradient_line(work.model, failure.scale)}")
        work.model.clear_gradients(set_to_zero=False)
    return lines


@contextmanager
def watched(model: nn.Layer) -> Iterator[list[str]]:
    """Yield a list that takes each layer of the model, by name, whose output in the block is not finite, in the order
    of computation."""
    found: list[str] = []

    def note(name: str, layer: nn.Layer, inputs: Any, output: Any) -> None:
        if all(map(_is_finite, tensors_of(output))):
            return
        before = "finite" if all(map(_is_finite, tensors_of(inputs))) else "not finite either"
        found.append(f"{name} ({type(layer).__name__}); its inputs are {before}")

    hooks = [
        layer.register_forward_post_hook(lambda layer, inputs, output, name=name: note(name, layer, inputs, output))
        for name, layer in model.named_sublayers()
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def gradient_line(model: nn.Layer, scale: float) -> str:
    """Tell the gradient's length, its largest parts, and the parameters for which it is not finite."""
    norms = {name: _norm(p.grad) / scale for name, p in model.named_parameters() if p.grad is not None}
    bad = [name for name, norm in norms.items() if not math.isfinite(norm)]
    if bad:
        return f"gradient not finite for {len(bad)} of {len(norms)} parameters, the first of them: {', '.join(bad[:5])}"
    largest = sorted(norms, key=lambda name: -norms[name])[:LARGEST_SHOWN]
    total = math.sqrt(sum(norm**2 for norm in norms.values()))
    return f"gradient {total:.4g}, most of it for {', '.join(f'{name} {norms[name]:.3g}' for name in largest)}"


def tensors_of(value: Any) -> list[Tensor]:
    """Return the floating tensors of a layer's input or output, whatever holds them."""
    if isinstance(value, paddle.Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, (list, tuple)):
        return [tensor for one in value for tensor in tensors_of(one)]
    if isinstance(value, Mapping):
        return tensors_of(list(value.values()))
    if is_dataclass(value) and not isinstance(value, type):
        return tensors_of([getattr(value, one.name) for one in fields(value)])
    return []


def _is_finite(tensor: Tensor) -> bool:
    return tensor.size == 0 or bool(paddle.isfinite(tensor.astype("float32")).all())


def _norm(tensor: Tensor) -> float:
    wide = tensor.astype("float32")
    return float((wide * wide).sum().sqrt())
