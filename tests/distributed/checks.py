"""What ranks compute together, each number against one worked out by hand; a program for the launcher, any world size.

Usage: ... checks FOLDER
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle

from tests.distributed.small_pretraining import model_of, stream_of, trainer_of
from unimo_paddle import distributed
from unimo_paddle.data.batch import LanguagePart
from unimo_paddle.distributed import gather_rows, rank, require_same, sum_gradients, sums, world_size
from unimo_paddle.errors import UserError
from unimo_paddle.tensor_files import read_safetensors


def check_sums():
    assert sums([rank(), 10.0 * rank() + 1]) == [
        sum(range(world_size())), sum(10.0 * place + 1 for place in range(world_size()))
    ]  # fmt: skip
    assert sums([2.0**52 + rank()]) == [sum(2.0**52 + place for place in range(world_size()))]  # exact in float64


def check_same():
    require_same("settings", 7)
    try:
        require_same("settings", rank() // (world_size() - 1))
    except UserError as error:
        assert f"processes {world_size() - 1} of {world_size()} have other settings" in str(error)
    else:
        raise AssertionError("not noticed")


def check_gradients():
    """Odd sizes, over and under a bucket, parameters without a gradient between them, a number without a dimension."""
    distributed.BUCKET_BYTES = 64
    shapes = [[3], [7, 5], [1], [2, 2], [], [16], [5], [31], [2]]
    parameters = [paddle.create_parameter(shape or [1], "float32") for shape in shapes]
    for place, parameter in enumerate(parameters):
        if place != 3:
            parameter.grad = paddle.full(parameter.shape, 1.0 + place) * (rank() + 1) + paddle.arange(
                parameter.size, dtype="float32"
            ).reshape(parameter.shape)
    sum_gradients(parameters)
    ranks = sum(place + 1 for place in range(world_size()))
    for place, parameter in enumerate(parameters):
        if place == 3:
            assert parameter.grad is None
            continue
        numbers = np.arange(parameter.size, dtype="float32").reshape(parameter.shape)
        np.testing.assert_array_equal(parameter.grad.numpy(), (1.0 + place) * ranks + numbers * world_size())


def check_gathered_rows():
    """Rank r's rows are (r + 1) x and it weighs the gathered row j by (r + 1)(j + 1): the loss of all ranks is
    W x (1 + 4 + ..), W the sum of 1, 2, .., and rank r's gradient is W (r + 1) for each of its two numbers."""
    rows = paddle.full([2, 3], float(rank() + 1))
    rows.stop_gradient = False
    gathered = gather_rows(rows)
    assert gathered.shape == [2 * world_size(), 3]
    owners = np.repeat(np.arange(world_size()), 2)
    np.testing.assert_array_equal(gathered.numpy(), np.repeat(owners[:, None] + 1.0, 3, axis=1))
    weights = paddle.to_tensor((rank() + 1.0) * (owners[:, None] + 1.0), "float32")
    (gathered * weights).sum().backward()
    whole = sum(place + 1 for place in range(world_size()))
    np.testing.assert_array_equal(rows.grad.numpy(), np.full([2, 3], whole * (rank() + 1.0)))


def check_failure(folder, directory):
    """A number that is none in the last rank's features: all ranks leave after the same step, and only its batch is
    kept, with the whole model, of which each had its layers."""
    stream, last = stream_of(folder, 1), world_size() - 1

    def batch(step):
        found = stream.batch(step)
        if step < 2:
            return found
        parts = [part for part in found.parts if not isinstance(part, LanguagePart)]
        if rank() != last:
            return replace(found, parts=tuple(parts))
        spoiled = parts[0].sequences.features.copy()
        spoiled[0, 1, 2] = np.nan
        parts[0] = replace(parts[0], sequences=replace(parts[0].sequences, features=spoiled))
        return replace(found, parts=tuple(parts))

    try:
        trainer_of(folder, directory, batch=batch, sharding=world_size(), stage=3).run()
    except UserError as error:
        told = str(error)
    assert "step 3" in told and "failed-step-00000003" in told, told
    assert ("region_" in told) == (rank() == last), told
    assert (f"on process {last}" in told) == (rank() != last), told
    kept = directory / "failed-step-00000003"
    assert [path.name for path in kept.glob("rank-*")] == [f"rank-{last:05d}"]
    shapes = {name: list(array.shape) for name, array in read_safetensors(kept / "weights.safetensors").items()}
    assert shapes == {name: tensor.shape for name, tensor in model_of().state_dict().items()}


def check_passes(folder, directory):
    """A rank with a part less would leave the others waiting for its layers."""
    stream, last = stream_of(folder, 1), world_size() - 1

    def batch(step):
        found = stream.batch(step)
        return replace(found, parts=found.parts[1:]) if rank() == last else found

    trainer = trainer_of(folder, directory, batch=batch, sharding=world_size(), stage=2)
    try:
        trainer.train_step(0)
    except UserError as error:
        assert f"processes {last} of {world_size()} have other passes through the encoder" in str(error)
    else:
        raise AssertionError("not noticed")


def main(folder):
    check_sums()
    check_same()
    check_gathered_rows()
    check_failure(Path(folder), Path(folder) / "run")
    check_passes(Path(folder), Path(folder) / "run")
    check_gradients()
    print("CHECKED", rank(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
