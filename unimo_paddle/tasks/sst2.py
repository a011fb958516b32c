"""SST-2: is a sentence of a film review positive?"""

from __future__ import annotations

from unimo_paddle.task_spec import Classify, Task, scores

TASK = Task(
    name="sst2",
    title="SST-2, sentiment of a sentence",
    reads=("text",),
    head=Classify(),
    labels=("negative", "positive"),
    metrics=("accuracy",),
    best_by="accuracy",
    formats={"public": "sst2", "release": "glue_release"},
    published=scores("base", "dev", accuracy=95.1) + scores("large", "dev", accuracy=96.8),
)
