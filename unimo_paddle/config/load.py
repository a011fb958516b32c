"""From written settings to a run, or to one list of everything that is wrong with them."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

from unimo_paddle.config.convert import check, convert
from unimo_paddle.config.corpus import CorpusPlan
from unimo_paddle.config.finetune import FinetuneRun
from unimo_paddle.config.schema import SIZES, DetectorRun, PretrainRun
from unimo_paddle.config.source import Settings, Written, read_settings
from unimo_paddle.errors import UserError

Run = PretrainRun | DetectorRun | FinetuneRun
KINDS = {"pretrain": PretrainRun, "detector": DetectorRun, "finetune": FinetuneRun}
MOST_SUFFIX = 100   # characters; a file name has room for 255 bytes


def load_run(path: Path | str, overrides: Sequence[str] = ()) -> Run:
    """Return the run that a YAML file describes, with `key=value` overrides.

    The file's `kind` says which sort of run. Raises UserError with every fault at once, each with its place: unknown
    names (with the nearest known one), wrong types, values out of range, settings that are missing or that do not
    fit together.
    """
    run = _load(path, overrides, KINDS)
    assert isinstance(run, Run)
    return _own_directory(run, overrides)


def load_corpus_plan(path: Path | str, overrides: Sequence[str] = ()) -> CorpusPlan:
    """Return what a YAML file of `kind: corpus` asks of rewriting and retrieval; raises like load_run."""
    plan = _load(path, overrides, {"corpus": CorpusPlan})
    assert isinstance(plan, CorpusPlan)
    return plan


def _load(path: Path | str, overrides: Sequence[str], kinds: Mapping[str, type[Any]]) -> Any:
    settings, faults = read_settings(path, overrides)
    kind = settings.get("kind", Written(None, str(path)))
    if kind.value not in kinds:
        raise UserError(f"{kind.place}: kind is {kind.value}; it must be one of {', '.join(kinds)}")
    reader = _Reader(_fill_size(settings), str(path), faults)
    loaded = reader.section(kinds[kind.value], "")
    reader.refuse_unknown(kinds[kind.value])
    if reader.faults:
        raise UserError("\n  ".join([_headline(len(reader.faults)), *reader.faults]))
    return loaded


def _own_directory(run: Run, overrides: Sequence[str]) -> Run:
    """Let a run that differs from its file have a folder of its own: `runs/tiny-optimizer.peak_lr=1e-4`.

    Only where the overrides do not name output.directory themselves; what a run may change on its way does not count.
    """
    keys = [override.partition("=")[0] for override in overrides]
    known = known_keys(type(run))
    if "output.directory" in keys:
        return run
    differing = [text for text, key in zip(overrides, keys, strict=True) if not known[key].metadata.get("may_change")]
    if not differing:
        return run
    suffix = ",".join(differing).replace("/", "_")
    if len(suffix) > MOST_SUFFIX:
        suffix = f"{suffix[:MOST_SUFFIX]}-{hashlib.sha256(suffix.encode()).hexdigest()[:8]}"
    directory = run.output.directory.with_name(f"{run.output.directory.name}-{suffix}")
    return replace(run, output=replace(run.output, directory=directory))


def _headline(count: int) -> str:
    return "1 setting is wrong:" if count == 1 else f"{count} settings are wrong:"


def _fill_size(settings: Settings) -> Settings:
    """Let `model.size` give the numbers that are not written themselves."""
    size = settings.get("model.size")
    if size is None or size.value not in SIZES:
        return settings
    given = {f"model.{name}": Written(number, size.place) for name, number in SIZES[size.value]._asdict().items()}
    return {**given, **settings}


class _Reader:
    """Builds the sections of a run and collects what is wrong on the way."""

    def __init__(self, settings: Settings, path: str, faults: list[str]) -> None:
        self.settings, self.path, self.faults = settings, path, faults

    def section(self, kind: type[Any], prefix: str) -> Any | None:
        """Return the section, or None when something in it is wrong."""
        before = len(self.faults)
        hints = get_type_hints(kind)
        values = {item.name: self._value(item, hints[item.name], prefix) for item in fields(kind)}
        if len(self.faults) > before:
            return None
        built = kind(**values)
        for key, fault in built.faults() if hasattr(built, "faults") else ():
            written = self.settings.get(prefix + key)
            self.faults.append(f"{written.place if written else self.path}: {prefix}{key} {fault}")
        return built

    def _value(self, item: Field[Any], wanted: Any, prefix: str) -> Any:
        key = prefix + item.name
        if is_dataclass(wanted):
            return self.section(wanted, key + ".")  # type: ignore[arg-type]
        written = self.settings.get(key)
        if written is None:
            if item.default is MISSING:
                self.faults.append(f"{self.path}: {key} is missing ({item.metadata['doc']})")
            return item.default
        try:
            value = convert(written.value, wanted)
            fault = check(value, item.metadata)
        except ValueError as error:
            value, fault = None, str(error)
        if fault:
            self.faults.append(f"{written.place}: {key} is {_shown(written.value)}; {fault} ({item.metadata['doc']})")
        return value

    def refuse_unknown(self, kind: type[Any]) -> None:
        """Report each key that is no setting of this kind of run."""
        known = list(known_keys(kind))
        for key, written in self.settings.items():
            inside = [name for name in known if name.startswith(key + ".")]
            if inside and written.value is not None:
                self.faults.append(f"{written.place}: {key} is a group of settings; write for example {inside[0]}")
            elif not inside and key not in known:
                self.faults.append(f"{written.place}: {key} is not a setting{_advice(key, known)}")


def known_keys(kind: type[Any], prefix: str = "") -> dict[str, Field[Any]]:
    """Return the dotted key of every setting of a run or a section, with its field."""
    keys: dict[str, Field[Any]] = {}
    hints = get_type_hints(kind)
    for item in fields(kind):
        if is_dataclass(hints[item.name]):
            keys.update(known_keys(hints[item.name], f"{prefix}{item.name}."))  # type: ignore[arg-type]
        else:
            keys[prefix + item.name] = item
    return keys


def _advice(key: str, known: list[str]) -> str:
    """Return `; did you mean ...?` for the nearest name: the same last part first, then the nearest spelling."""
    last = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    near = difflib.get_close_matches(key, same or known, n=1, cutoff=0.0 if same else 0.6)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"


def _shown(value: Any) -> str:
    return "empty" if value is None or value == "" else str(value)
