"""One process alone; tests/distributed/test_resume.py has several."""

import pytest

from unimo_paddle.engine import together
from unimo_paddle.errors import UserError


def test_one_process_keeps_its_own_error():
    with together.together():
        pass
    with pytest.raises(ValueError, match="mine"), together.together():
        raise ValueError("mine")
    assert together.told_by_all(2.5) == [2.5] and together.from_first(2**52 + 1) == 2**52 + 1


@pytest.mark.parametrize(("mistaken", "kind"), [([0, 0, 1], UserError), ([0, 0, 0], OSError)])
def test_the_other_ranks_name_those_that_failed(monkeypatch, mistaken, kind):
    answers = iter([[0.0, 1.0, 1.0], list(map(float, mistaken))])
    monkeypatch.setattr(together, "told_by_all", lambda value: next(answers))
    with pytest.raises(kind, match="rank 1, 2 failed"), together.together():
        pass
