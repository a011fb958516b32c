"""Each native operator beside Paddle's own on the shapes of a base step, forward and backward, in turns.

    python -m tests.bench.operator_speed

Prints milliseconds (medians of 20 turns) and ratios; run it on a quiet machine. `make operators` comes first.
"""

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from unimo_paddle.environment import tune_process

if __name__ == "__main__":
    tune_process()

from unimo_paddle.console import run_tool, say

if TYPE_CHECKING:
    from paddle import Tensor

TURNS = 20
Run = Callable[[], object]


def cases() -> dict[str, tuple[Run, Run]]:
    """Return (plain, native) by what they compute; 8 x 128 rows of width 768, 147 x 50265 logits."""
    import paddle
    from paddle import Tensor, nn

    from unimo_paddle.engine.adamw import PlainAdamW
    from unimo_paddle.engine.optimizer import gradient_norm as plain_norm
    from unimo_paddle.model.layers import encoder_layer
    from unimo_paddle.operators import adamw, native

    layers = [encoder_layer(768, 12, 0.1, 0.1, kind).train() for kind in ("plain", "native")]
    x, wide, bias = leaf(8, 128, 768), leaf(8, 128, 3072), paddle.zeros([8, 12, 128, 128])
    logits, shift = leaf(147, 50265), leaf(50265)
    named = [{"p": leaf(10_000_000)} for _ in range(2)]
    settings = (("p",), 0.01, (0.9, 0.98), 1e-6)
    rules = [rule(one, *settings) for rule, one in zip((PlainAdamW, adamw.NativeAdamW), named, strict=True)]
    for one in named:
        one["p"].grad = paddle.randn([10_000_000])

    def both(make: Callable[[nn.Layer], Tensor]) -> tuple[Run, Run]:
        first, second = layers
        leaves = [x, wide, *first.parameters(), *second.parameters()]
        return forward_backward(lambda: make(first), leaves), forward_backward(lambda: make(second), leaves)

    return {
        "whole layer": both(lambda layer: layer(x, bias)),
        "attention, with the products of q, k, v": both(lambda layer: layer.attend(x, x, bias)),
        "GELU, with the product": both(lambda layer: layer.widen(x)),
        "dropout, residual, norm, with the product": both(
            lambda layer: layer.join(wide, layer.ffn_out, x, layer.ffn_norm)
        ),
        "bias of the logits": (forward_backward(lambda: logits + shift, [logits, shift]),
                               forward_backward(lambda: native.add_bias(logits, shift), [logits, shift])),
        "AdamW, 10 M parameters": (lambda: rules[0].update(1e-6), lambda: rules[1].update(1e-6)),
        "gradient norm, 10 M": (lambda: plain_norm(named[0].values()), lambda: adamw.gradient_norm(named[1].values())),
    }  # fmt: skip


def leaf(*shape: int) -> "Tensor":
    """Return random float32 numbers that want a gradient."""
    import paddle

    made = paddle.randn(list(shape))
    made.stop_gradient = False
    return made


def forward_backward(make: "Callable[[], Tensor]", leaves: "list[Tensor]") -> Run:
    """Return a function that computes make() and the gradients of its leaves, and drops them."""

    def run() -> None:
        make().backward()
        for one in leaves:
            one.clear_gradient(set_to_zero=False)

    return run


def main(words: list[str]) -> int:
    """Measure and print."""
    for name, runs in cases().items():
        seconds: tuple[list[float], list[float]] = ([], [])
        for turn in range(TURNS + 2):
            for run, found in zip(runs, seconds, strict=True):
                begun = time.perf_counter()
                run()
                if turn > 1:
                    found.append(1000 * (time.perf_counter() - begun))
        plain, native = map(statistics.median, seconds)
        say(f"{name:45} plain {plain:7.1f} ms, native {native:7.1f} ms, {plain / native:5.2f} times as fast")
    return 0


if __name__ == "__main__":
    run_tool(main)
