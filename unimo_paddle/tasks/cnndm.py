"""CNN/DailyMail: the highlights of a news article."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task, scores

TASK = Task(
    name="cnndm",
    title="CNN/DailyMail, summaries of news",
    reads=("text", "target"),
    head=Generate(),
    metrics=("ROUGE-1", "ROUGE-2", "ROUGE-Lsum"),
    best_by="ROUGE-Lsum",
    formats={"public": "summaries", "release": "seq2seq_release"},
    decoding=Decoding(beams=5, length_penalty=0.6, most=128, least=20, block_trigrams=True),
    published=scores("base", "test", ROUGE_1=42.42, ROUGE_2=20.12, ROUGE_Lsum=39.61)
    + scores("large", "test", ROUGE_1=43.51, ROUGE_2=20.65, ROUGE_Lsum=40.63),
)
