"""SNLI-VE: does a picture entail a sentence?"""

from __future__ import annotations

from unimo_paddle.task_spec import Classify, Task, scores

TASK = Task(
    name="snli_ve",
    title="SNLI-VE, inference from a picture",
    reads=("image", "text"),
    head=Classify(pooled="sum", inner=2048),
    labels=("contradiction", "entailment", "neutral"),
    metrics=("accuracy",),
    best_by="accuracy",
    formats={"public": "snli_ve", "release": "snli_ve_release"},
    published=scores("base", "dev", accuracy=80.00)
    + scores("base", "test", accuracy=79.10)
    + scores("large", "dev", accuracy=81.11)
    + scores("large", "test", accuracy=80.63),
)
