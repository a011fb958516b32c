"""STS-B: how alike are two sentences, from 0 to 5?"""

from __future__ import annotations

from unimo_paddle.task_spec import Regress, Task, scores

TASK = Task(
    name="stsb",
    title="STS-B, likeness of two sentences",
    reads=("text", "text_b"),
    head=Regress(),
    metrics=("pearson", "spearman", "pearson_spearman"),
    best_by="pearson_spearman",
    formats={"public": "stsb", "release": "glue_release"},
    published=scores("base", "dev", pearson=91.0) + scores("large", "dev", pearson=92.6),
)
