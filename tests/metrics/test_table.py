"""Every metric that a task declares is in the table; recall is the exception, it has no predictions."""

import re

from unimo_paddle.metrics.table import METRICS
from unimo_paddle.tasks import TASKS


def test_tasks_name_metrics_that_there_are():
    named = {name for task in TASKS.values() for name in (*task.metrics, task.best_by)}
    named |= {one.metric for task in TASKS.values() for one in task.published}
    unknown = {name for name in named if name not in METRICS and not re.fullmatch(r"(image|text|mean)_R@\d+", name)}
    assert unknown == set()


def test_names_are_those_of_their_metrics():
    assert all(metric.name == name and metric.unit in ("%", "x100") for name, metric in METRICS.items())
