"""CoLA: is a sentence acceptable English?"""

from __future__ import annotations

from unimo_paddle.task_spec import Classify, Task, scores

TASK = Task(
    name="cola",
    title="CoLA, acceptability of a sentence",
    reads=("text",),
    head=Classify(),
    labels=("unacceptable", "acceptable"),
    metrics=("matthews", "accuracy"),
    best_by="matthews",
    formats={"public": "cola", "release": "glue_release"},
    published=scores("base", "dev", matthews=65.4) + scores("large", "dev", matthews=68.5),
)
