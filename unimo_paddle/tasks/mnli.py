"""MNLI: does a premise entail a hypothesis? Judged on matched (m) and mismatched (mm) genres."""

from __future__ import annotations

from unimo_paddle.task_spec import Classify, Task, scores

TASK = Task(
    name="mnli",
    title="MNLI, inference between two sentences",
    reads=("text", "text_b"),
    head=Classify(),
    labels=("contradiction", "entailment", "neutral"),
    metrics=("accuracy",),
    best_by="accuracy",
    formats={"public": "mnli", "release": "glue_release"},
    evaluated=("dev_m", "dev_mm", "test_m", "test_mm"),
    published=scores("base", "dev_m", accuracy=86.8)
    + scores("base", "dev_mm", accuracy=86.7)
    + scores("large", "dev_m", accuracy=89.8)
    + scores("large", "dev_mm", accuracy=89.5),
)
