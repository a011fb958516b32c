"""Turn a written value into the type that its setting declares, or say what is wrong with it."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = {"", "null", "none", "~"}
_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool]], ...] = (
    ("at_least", "at least", operator.ge),
    ("above", "greater than", operator.gt),
    ("at_most", "at most", operator.le),
    ("below", "less than", operator.lt),
)


def convert(value: Any, wanted: Any) -> Any:
    """Return `value` as the type `wanted`: int, float, bool, str, Path, a tuple of these (of any length
    where it ends by ...), or one of these or None.

    Text is read as the command line gives it: "1e-4" is a float, "0.9,0.98" a tuple, "null" nothing. Numbers are
    never cut: 1.5 is no int, true is no number. Raises ValueError with what is wanted instead.
    """
    if get_origin(wanted) is UnionType:
        return _optional(value, wanted)
    if get_origin(wanted) is tuple:
        return _tuple(value, get_args(wanted))
    return _SCALARS[wanted](value)


def check(value: Any, rule: Mapping[str, Any]) -> str:
    """Return what is wrong with a converted value by its setting's rule, "" when nothing is."""
    if value is None:
        return ""
    parts = value if isinstance(value, tuple) else (value,)
    choices = rule.get("choices")
    if choices and value not in choices:
        return f"must be one of {', '.join(map(str, choices))}"
    for name, words, holds in _BOUNDS:
        if name in rule and not all(holds(part, rule[name]) for part in parts):
            return f"must be {words} {rule[name]}"
    return ""


def _optional(value: Any, wanted: Any) -> Any:
    if value is None or (isinstance(value, str) and value.lower() in _NOTHING):
        return None
    inner = next(part for part in get_args(wanted) if part is not type(None))
    return convert(value, inner)


def _tuple(value: Any, types: tuple[Any, ...]) -> tuple[Any, ...]:
    items = value.strip("[]() ").split(",") if isinstance(value, str) else value
    if len(types) == 2 and types[1] is Ellipsis and isinstance(items, (list, tuple)):
        items = [item.strip() if isinstance(item, str) else item for item in items if item != ""]
        return tuple(convert(item, types[0]) for item in items)
    if not isinstance(items, (list, tuple)) or len(items) != len(types):
        raise ValueError(f"{len(types)} values are wanted, for example [{', '.join(['0.5'] * len(types))}]")
    return tuple(convert(item, kind) for item, kind in zip(items, types, strict=True))


def _int(value: Any) -> int:
    if isinstance(value, str):
        value = _number(value, "a whole number is wanted")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        raise ValueError("a whole number is wanted")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, str):
        value = _number(value, "a number is wanted")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < float("inf"):
        raise ValueError("a number is wanted")
    return float(value)


def _number(text: str, wanted: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(wanted) from None


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        value = _WORDS.get(value.lower())
    if not isinstance(value, bool):
        raise ValueError("true or false is wanted")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("text is wanted; put it in quotes if it looks like a number")
    return value


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("a path is wanted")
    return Path(value)


_SCALARS: dict[type, Callable[[Any], Any]] = {int: _int, float: _float, bool: _bool, str: _str, Path: _path}
