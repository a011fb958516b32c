"""The bytes that training takes on one device: the model's state, and what a part keeps for its backward pass.

H width, L layers, A heads, S positions of a sequence, Q and N rows read of the last layer (flops.RowsRead), V
vocabulary, D feature width, C region classes. Counted on the tensors that Paddle's plain operators save; checked
against measured memory on a CPU in float32 (docs/pretraining.md). Half precision follows from the lists of
engine/precision.py and was never measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from unimo_paddle.config import ParallelSettings, PrecisionSettings, PretrainRun
from unimo_paddle.data.batch import LanguagePart, Part, Sequences, VisualPart, sequences_of
from unimo_paddle.model.flops import RowsRead, rows_read
from unimo_paddle.model.model_folder import ModelSizes

FLOAT = 4  # bytes
GIB = 1 << 30


@dataclass(frozen=True)
class Numbers:
    """How a pass computes. dropout, attention_dropout: whether there is one; half: 16-bit matrix products;
    recompute: of each layer, in the backward pass."""

    dropout: bool
    attention_dropout: bool
    half: bool
    recompute: bool

    @property
    def product(self) -> int:
        """Bytes of a number that goes into a matrix product."""
        return 2 if self.half else FLOAT


@dataclass(frozen=True)
class Kept:
    """kept: bytes from the forward to the backward pass; passing: the most that comes on top at one time."""

    kept: int
    passing: int

    @property
    def peak(self) -> int:
        return self.kept + self.passing


@dataclass(frozen=True)
class State:
    """Bytes of the model on each device, whatever is computed: weights with their half-precision twins, gradients,
    Adam's moments with the float32 masters of O2."""

    weights: int
    gradients: int
    adam: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.adam


def recomputes(run: PretrainRun) -> bool:
    """Tell whether layers are computed twice: where that is wished, and where their weights come and go."""
    return run.model.recompute or run.parallel.stage == 3


def numbers_of(run: PretrainRun, recompute: bool | None = None) -> Numbers:
    """Return how a run computes; recompute: another way than the run's."""
    model = run.model
    return Numbers(
        model.dropout > 0,
        model.attention_dropout > 0,
        run.precision.level != "O0",
        recomputes(run) if recompute is None else recompute,
    )


def state_bytes(
    parameters: int, layered: int, layers: int, precision: PrecisionSettings, parallel: ParallelSettings, world: int
) -> State:
    """Return the model's state on each of `world` devices. layered: how many of the parameters are in the encoder's
    `layers`.

    A parameter takes 16 bytes in float32: itself, its gradient, two moments. O1 keeps a half-precision copy of it
    besides; O2 has it in half precision with a float32 master, counted as Adam's, and its gradient in both.
    parallel.sharding shares out the moments. From stage 2 on the sums of gradients too; beside them stand the gradients
    of one layer and, until a part's end, of what is outside the layers. At stage 3 the layers' weights, beside one
    layer that was fetched.
    """
    o2 = precision.level == "O2"
    weight, gradient = {"O0": 4, "O1": 6, "O2": 2}[precision.level], 6 if o2 else 4
    share, stage = min(parallel.sharding, world), parallel.stage if parallel.sharding > 1 else 1
    at_once = parameters - layered + layered // layers
    return State(
        weight * (at_once + layered // share if stage == 3 else parameters),
        gradient * (at_once + parameters // share if stage > 1 else parameters),
        parameters * 8 // share + (parameters * 4 if o2 else 0),
    )


def part_bytes(part: Part, sizes: ModelSizes, numbers: Numbers) -> Kept:
    """Return what one part takes beside the model's state, from its forward pass to the end of its backward pass.

    The backward pass begins with the heads: what they kept is free when the first layer is computed a second time.
    """
    encoded = [encoder_bytes(one, rows_read(part, one), sizes, numbers) for one in sequences_of(part)]
    head, passing = head_bytes(part, sizes, numbers), max(one.passing for one in encoded)
    if numbers.recompute:
        return Kept(sum(one.kept for one in encoded), max(head.peak, passing))
    return Kept(sum(one.kept for one in encoded) + head.kept, max(head.passing, passing))


def encoder_bytes(sequences: Sequences, read: RowsRead, sizes: ModelSizes, numbers: Numbers) -> Kept:
    """Return what one pass of the encoder keeps.

    Of each position a layer keeps 16 H numbers: query, key, value, mixed values, the sums that both layer norms read
    (float32 always) and what they give, 4 H before and after GELU; of each head and position read, the softmax
    (float32 always). Dropout adds a byte for each number that it sees, and a second softmax; half precision a copy of
    the softmax. Of this the last layer keeps key and value of all positions, the softmax and the query of those that
    read, which are copied first, and the rest of the rows that are read. Before the layers: the sums that the norms of
    words and regions read, the features, the first input. Recomputing keeps only each layer's input and the masks, and
    one whole layer while its gradient is computed.

    Passing: gradients of 5 H a position at a layer's end, or three planes of the softmax once its last 10 H are freed;
    what the last layer kept is free when the one below it is reached.
    """
    (batch, length), width, size = sequences.is_pad.shape, sizes.width, numbers.product
    rows, heads = batch * length, sizes.heads * length
    whole, last = _whole_layer(rows, heads, width, numbers), _last_layer(batch, length, read, sizes, numbers)
    start = rows * width * (size + numbers.dropout) + _embedding_bytes(sequences, width, size)
    if numbers.recompute:
        masks = (rows + batch * read.most) * heads * size
        return Kept(start + sizes.layers * rows * width * FLOAT + masks, max(whole.peak, last.peak))
    passing = max(rows * heads * size, last.passing, whole.passing - last.kept)
    return Kept(start + (sizes.layers - 1) * whole.kept + last.kept, passing)


def head_bytes(part: Part, sizes: ModelSizes, numbers: Numbers) -> Kept:
    """Return what the heads and losses keep: logits exist where there are labels, nowhere else.

    Words: the softmax, and as much again while its gradient is computed, with the whole gradient of the word table.
    Regions: D + 3 C each. The contrast keeps a few vectors a pair: nothing here.
    """
    if isinstance(part, LanguagePart):
        labelled, logits = len(part.labels.rows), len(part.labels.rows) * sizes.vocab_size
        again = logits * (FLOAT + (2 if numbers.half else 0))
        table = sizes.vocab_size * sizes.width * FLOAT
        return Kept(logits * FLOAT + 5 * labelled * sizes.width * FLOAT, max(again, table))
    if isinstance(part, VisualPart):
        features, classes = part.labels.features.size, part.labels.class_probs.size
        return Kept((features + 3 * classes) * FLOAT, (2 * features + classes) * FLOAT)
    return Kept(0, 0)


def checkpoint_bytes(parameters: int) -> int:
    """Return the size of a checkpoint on the disk: weights and two moments, in float32."""
    return 3 * FLOAT * parameters


def _layer_row(width: int, numbers: Numbers) -> int:
    return width * (14 * numbers.product + 2 * FLOAT + 2 * numbers.dropout)


def _whole_layer(rows: int, heads: int, width: int, numbers: Numbers) -> Kept:
    """heads: numbers of a row's softmax, over all heads."""
    passing = rows * max(5 * width, 3 * heads - 5 * width) * numbers.product
    return Kept(rows * (_layer_row(width, numbers) + heads * _softmax_bytes(numbers)), passing)


def _last_layer(batch: int, length: int, read: RowsRead, sizes: ModelSizes, numbers: Numbers) -> Kept:
    """Passing: gradients of key, value and input, of the states read, or three planes of the softmax."""
    width, size, readers = sizes.width, numbers.product, batch * read.most
    softmax = readers * sizes.heads * length
    kept = 2 * width * size * (batch * length + readers) + softmax * _softmax_bytes(numbers)
    kept += read.total * (_layer_row(width, numbers) - 3 * width * size)
    return Kept(kept, max(5 * read.total * width, 3 * softmax, 3 * batch * length * width) * size)


def _softmax_bytes(numbers: Numbers) -> int:
    """Bytes that a layer keeps of each head, position and position read."""
    twin = numbers.product if numbers.attention_dropout or numbers.half else 0
    return FLOAT + twin + numbers.attention_dropout


def _embedding_bytes(sequences: Sequences, width: int, size: int) -> int:
    images, regions, features = sequences.features.shape
    return sequences.token_ids.size * width * FLOAT + images * regions * (width * FLOAT + features * size)
