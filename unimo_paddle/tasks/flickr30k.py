"""Flickr30k: find the picture of a sentence and the sentences of a picture, one model for both ways."""

from __future__ import annotations

from unimo_paddle.task_spec import Match, Task, scores

TASK = Task(
    name="flickr30k",
    title="Flickr30k, image and text retrieval",
    reads=("image", "text"),
    head=Match(),
    metrics=("image_R@1", "image_R@5", "image_R@10", "text_R@1", "text_R@5", "text_R@10"),
    best_by="mean_R@1",
    formats={"public": "karpathy_retrieval", "release": "flickr30k_release"},
    published=scores("base", "test", **{"image_R@1": 74.66, "image_R@5": 93.40, "image_R@10": 96.08})
    + scores("base", "test", **{"text_R@1": 89.70, "text_R@5": 98.40, "text_R@10": 99.10})
    + scores("large", "test", **{"image_R@1": 78.04, "image_R@5": 94.24, "image_R@10": 97.12})
    + scores("large", "test", **{"text_R@1": 89.40, "text_R@5": 98.90, "text_R@10": 99.80}),
)
