"""All checks in order, over all ranks: machine, disk, data, network, a step of each kind, checksums."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from unimo_paddle.config import PretrainRun
from unimo_paddle.console import say
from unimo_paddle.distributed import local_rank, rank, sums, world_size
from unimo_paddle.engine.plan import DataSizes
from unimo_paddle.engine.plan.sizes import all_parameters, sizes_of
from unimo_paddle.engine.plan.steps import step_weights
from unimo_paddle.errors import UserError
from unimo_paddle.preflight import disk, machine, network, stores, trial
from unimo_paddle.preflight.findings import FAIL, Finding, has_failed, verdict


def run(run: PretrainRun, make_trial: Callable[[Path], trial.Trial]) -> int:
    """Check everything and print a verdict; return 0, or 1 when something on any rank would stop the run.

    make_trial: opens the run's data, model and trainer, which must write to the folder that it is given alone. Rank 0
    prints all that it found, the others what is not well. Checksums come last, on one rank of each node, for nobody may
    wait that long for another.
    """
    findings = [*machine.look(run, _known(run)), *disk.look(run), *stores.look(run)]
    findings.append(stores.same_everywhere(run))
    findings += network.look(all_parameters(sizes_of(run)))
    if not failed_ranks(findings):
        findings += _try(run, make_trial)
    failed = failed_ranks(findings)
    _tell(findings, failed, "so far ok; checksums of all data follow")
    if failed or local_rank():
        return 1 if failed else 0
    compared = stores.checksums(run)
    _tell(compared, [rank()] if has_failed(compared) else [], "preflight: ok")
    return 1 if has_failed(compared) else 0


def failed_ranks(findings: Sequence[Finding]) -> list[int]:
    """Return the ranks on which something failed; every rank must call it."""
    mine = [0.0] * world_size()
    mine[rank()] = float(has_failed(findings))
    return [place for place, one in enumerate(sums(mine)) if one]


def _known(run: PretrainRun) -> DataSizes:
    """What is known of the data; what is wrong with them, the trial will say."""
    try:
        return stores.data_sizes(run)
    except UserError:
        return DataSizes()


def _try(run: PretrainRun, make_trial: Callable[[Path], trial.Trial]) -> list[Finding]:
    """Make the steps; a process that fails in the middle of one ends at once, for the others wait for it."""
    with tempfile.TemporaryDirectory(prefix="preflight-") as folder:
        try:
            return [*trial.look(make_trial(Path(folder)), list(step_weights(run)))]
        except (UserError, MemoryError, RuntimeError) as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            remedy = "mend what it says; when memory is full: raise train.accumulate or set model.recompute=true"
            found = Finding(FAIL, "a step", told[-1], remedy)
    if world_size() > 1:
        _tell([found], [rank()], "")
        raise SystemExit(1)
    return [found]


def _tell(findings: Sequence[Finding], failed: Sequence[int], verdict_if_ok: str) -> None:
    shown = findings if rank() == 0 else [one for one in findings if one.remedy]
    for line in verdict(shown):
        say(line)
    if failed and world_size() > 1:
        say(f"failed on processes {', '.join(map(str, failed))}: their logs say why")
    if rank() == 0:
        say("preflight: FAIL" if failed else verdict_if_ok)
