"""The small corpus with everything, and its pages, made once."""

from pathlib import Path

import pytest

from tests.prepare.whole_corpus import derived, write_corpus, write_store


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with every collection, and a hundred negatives of each level."""
    return write_corpus(tmp_path_factory.mktemp("whole"), derived(each=100))


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with pairs and images only."""
    return write_corpus(tmp_path_factory.mktemp("bare"), {})


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Boxes of image i0."""
    return write_store(tmp_path_factory.mktemp("regions") / "store")
