"""Tokenizers and regions that all tasks share, and a machine without Java for those that need not wait for it."""

import shutil

import pytest

from tests.build_tasks.task_world import Places


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places.make(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    """METEOR starts Java, a second each time."""
    real = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *more: None if name == "java" else real(name, *more))
