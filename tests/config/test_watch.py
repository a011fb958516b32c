"""What is watched: faults that a run would meet only hours later."""

import pytest

from unimo_paddle.config.engine import WatchSettings


@pytest.mark.parametrize(
    ("settings", "key", "advice"),
    [
        ({"profile": (5,)}, "profile", "is [5]; give the first and the last step"),
        ({"profile": (7, 5)}, "profile", "is [7, 5]"),
        ({"profile": (1, 2, 3)}, "profile", "is [1, 2, 3]"),
        ({"keep_best": "masked_word_accuracy"}, "keep_best", "nothing is probed; set watch.probe_every"),
    ],
)
def test_wrong(settings, key, advice):
    ((found, fault),) = WatchSettings(**settings).faults()
    assert found == key
    assert advice in fault


def test_right():
    assert WatchSettings().faults() == []
    assert WatchSettings(profile=(3, 3), keep_best="masked_word_accuracy", probe_every=100).faults() == []
