"""CoQA: answer a question of a dialogue about a passage, in free words."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task, scores

TASK = Task(
    name="coqa",
    title="CoQA, conversational question answering",
    reads=("text", "turns", "target"),
    head=Generate(dialogue=True),
    metrics=("f1", "exact_match"),
    best_by="f1",
    formats={"public": "coqa", "release": "seq2seq_release"},
    evaluated=("dev",),
    decoding=Decoding(beams=3, length_penalty=0.0, most=30),
    published=scores("base", "dev", f1=80.2) + scores("large", "dev", f1=84.9),
)
