"""Tasks on a user's own JSONL: which fields a line has says what is read (docs/tasks.md)."""

from __future__ import annotations

from unimo_paddle.task_spec import Classify, Decoding, Generate, Match, Regress, Task

TASKS = (
    Task(
        name="custom_classification",
        title="classes of your own, of a text or two",
        reads=("text", "text_b"),
        head=Classify(),
        metrics=("accuracy",),
        best_by="accuracy",
        formats={"public": "records"},
    ),
    Task(
        name="custom_image_classification",
        title="classes of your own, of a picture with a text",
        reads=("image", "text"),
        head=Classify(pooled="product"),
        metrics=("accuracy",),
        best_by="accuracy",
        formats={"public": "records"},
    ),
    Task(
        name="custom_regression",
        title="a number for a text or two",
        reads=("text", "text_b"),
        head=Regress(),
        metrics=("pearson", "spearman"),
        best_by="pearson",
        formats={"public": "records"},
    ),
    Task(
        name="custom_retrieval",
        title="your own pictures and texts, either found by the other",
        reads=("image", "text"),
        head=Match(),
        metrics=("image_R@1", "image_R@5", "image_R@10", "text_R@1", "text_R@5", "text_R@10"),
        best_by="mean_R@1",
        formats={"public": "records"},
    ),
    Task(
        name="custom_generation",
        title="a text from a text",
        reads=("text", "target"),
        head=Generate(),
        metrics=("ROUGE-1", "ROUGE-2", "ROUGE-L"),
        best_by="ROUGE-L",
        formats={"public": "records"},
        decoding=Decoding(),
    ),
    Task(
        name="custom_captioning",
        title="captions of your own pictures",
        reads=("image", "tags", "target"),
        head=Generate(end="sep"),
        metrics=("BLEU-4", "CIDEr"),
        best_by="CIDEr",
        formats={"public": "records"},
        decoding=Decoding(),
    ),
)
