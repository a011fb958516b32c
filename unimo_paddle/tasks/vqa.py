"""VQA v2: answer a question about a picture, of 3,129 answers. The released code never had it."""

from __future__ import annotations

from unimo_paddle.task_spec import Answer, Task, scores

TASK = Task(
    name="vqa",
    title="VQA v2, questions about a picture",
    reads=("image", "text"),
    head=Answer(),
    metrics=("vqa_accuracy",),
    best_by="vqa_accuracy",
    formats={"public": "vqa"},
    evaluated=("dev",),  # the test server alone knows the answers of test-dev and test-std
    published=scores("base", "test-dev", vqa_accuracy=73.79)
    + scores("base", "test-std", vqa_accuracy=74.02)
    + scores("large", "test-dev", vqa_accuracy=75.06)
    + scores("large", "test-std", vqa_accuracy=75.27),
)
