"""What preflight found, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unimo_paddle.engine.plan.table import table

OK, WARN, FAIL = "ok", "warn", "FAIL"


@dataclass(frozen=True)
class Finding:
    """level: OK, WARN or FAIL; told: what was found; remedy: what to do, empty when all is well."""

    level: str
    what: str
    told: str
    remedy: str = ""


def judged(what: str, told: str, is_well: bool, remedy: str, otherwise: str = WARN) -> Finding:
    """Return OK, or a finding of the level `otherwise` with its remedy."""
    return Finding(OK, what, told) if is_well else Finding(otherwise, what, told, remedy)


def has_failed(findings: Sequence[Finding]) -> bool:
    """Tell whether the run cannot be started as it is."""
    return any(one.level == FAIL for one in findings)


def verdict(findings: Sequence[Finding]) -> list[str]:
    """Return all findings as a table, and below it what to do, the worst first."""
    lines = [f"{line}  {one.told}" for line, one in zip(_columns(findings), findings, strict=True)]
    worst = sorted((one for one in findings if one.remedy), key=lambda one: one.level != FAIL)
    return [*lines, *(f"{one.level}: {one.what}: {one.remedy}" for one in worst)]


def _columns(findings: Sequence[Finding]) -> list[str]:
    lines = table(("", ""), [(one.what, one.level) for one in findings])[1:]
    width = max((len(line) for line in lines), default=0)
    return [line.ljust(width) for line in lines]
