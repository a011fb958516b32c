"""VQA v2 as generation: an answer of the vocabulary, written token by token. Not the paper's."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task

TASK = Task(
    name="vqa_generation",
    title="VQA v2, answers written instead of chosen",
    reads=("image", "text", "target"),
    head=Generate(end="sep", closed=True),
    metrics=("vqa_accuracy",),
    best_by="vqa_accuracy",
    formats={"public": "vqa"},
    evaluated=("dev",),
    decoding=Decoding(beams=3, length_penalty=0.0, most=12),
)
