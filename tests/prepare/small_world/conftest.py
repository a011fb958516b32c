"""One small world of drawn shapes, made once for all tests of the folder."""

import pytest

from unimo_paddle.prepare.small_world.run import make_scenes

SIZES = {"images": 60, "seed": 5, "source": "shapes", "val": 6, "test": 30, "composition": 30}


@pytest.fixture(scope="session")
def world_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "shapes"
    make_scenes(folder, **SIZES, workers=1)
    return folder
