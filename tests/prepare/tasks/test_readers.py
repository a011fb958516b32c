"""The table of readers: every format that a declaration names has one, and no other is there."""

from unimo_paddle.prepare.tasks import READERS
from unimo_paddle.tasks import TASKS


def test_every_format_has_a_reader() -> None:
    assert {reader for task in TASKS.values() for reader in task.formats.values()} == set(READERS)
