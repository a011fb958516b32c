"""Loads the operators, once a process and not before one is called."""

from __future__ import annotations

from functools import cache
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.operators.build import library_path


@cache
def load() -> None:
    """Make Paddle know the operators. UserError when they are not built for this machine."""
    path = library_path()
    if not path.exists():
        raise UserError("model.operators is native, but the operators are not built for this machine and this Paddle: "
                        "run `make operators` (it needs g++), or set model.operators to plain")  # fmt: skip
    from paddle.base import core

    core.load_op_meta_info_and_register_op(str(path))


def call(name: str, *arguments: Any) -> list[Any]:
    """Run the operator unimo_`name` with its tensors, then its attributes; return its results."""
    load()
    import paddle

    return paddle._C_ops._run_custom_op(f"unimo_{name}", *arguments)
