"""What all ranks do as one: they leave a block well together or not at all, and go by what the first one found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from unimo_paddle.console import say
from unimo_paddle.distributed import rank, sums, world_size
from unimo_paddle.errors import UserError


def say_once(line: str) -> None:
    """Say it once, however many processes there are."""
    if rank() == 0:
        say(line)


@contextmanager
def together() -> Iterator[None]:
    """Let no rank go on before all have ended the block, and none when one of them failed; all ranks must come here.

    A rank that failed keeps its own error. The others raise UserError when the mistake was a person's, else OSError,
    so that all end with the same status. Only the failing rank knows the reason: its log has it.
    """
    fault: Exception | None = None
    try:
        yield
    except Exception as error:
        fault = error
    failed, mistaken = told_by_all(float(fault is not None)), told_by_all(float(isinstance(fault, UserError)))
    if fault is not None:
        raise fault
    if any(failed):
        names = ", ".join(str(number) for number, flag in enumerate(failed) if flag)
        raise (UserError if any(mistaken) else OSError)(f"rank {names} failed, and all with it; its log says why")


def told_by_all(value: float) -> list[float]:
    """Return every rank's value, in the order of the ranks."""
    mine = [0.0] * world_size()
    mine[rank()] = value
    return sums(mine)


def from_first(number: int) -> int:
    """Return the first rank's number, below 2 ** 53, on every rank."""
    return int(sums([float(number) if rank() == 0 else 0.0])[0])
