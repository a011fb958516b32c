"""Gigaword: the headline of a sentence of news."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task, scores

TASK = Task(
    name="gigaword",
    title="Gigaword, headlines",
    reads=("text", "target"),
    head=Generate(),
    metrics=("ROUGE-1", "ROUGE-2", "ROUGE-L"),
    best_by="ROUGE-L",
    formats={"public": "summaries", "release": "seq2seq_release"},
    decoding=Decoding(beams=5, length_penalty=0.6, most=32, least=5),
    published=scores("base", "test", ROUGE_1=38.80, ROUGE_2=19.99, ROUGE_L=36.27)
    + scores("large", "test", ROUGE_1=39.71, ROUGE_2=20.37, ROUGE_L=36.88),
)
