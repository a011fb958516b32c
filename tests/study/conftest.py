"""A sweep in a folder of its own."""

from pathlib import Path

import pytest

from tests.study.sweeping import Sweep


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    monkeypatch.setenv("STUB_CALLS", str(tmp_path / "calls"))
    return Sweep(tmp_path)
