"""The operators of this machine, built once; without a compiler, or elsewhere than on Linux with MKL, tests skip."""

import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.operators.build import build


@pytest.fixture(scope="session")
def native():
    try:
        return build()
    except UserError as error:
        pytest.skip(str(error))
