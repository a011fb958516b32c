"""COCO captions: describe a picture, from its regions and the names of the objects seen."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task, scores

TASK = Task(
    name="coco_caption",
    title="COCO, captions of a picture",
    reads=("image", "tags", "target"),
    head=Generate(end="sep"),
    metrics=("BLEU-4", "METEOR", "ROUGE-L-coco", "CIDEr"),
    best_by="CIDEr",
    formats={"public": "karpathy_captions", "release": "coco_release"},
    decoding=Decoding(beams=5, length_penalty=0.6, most=50, least=5),
    published=scores("base", "test", BLEU_4=38.8, CIDEr=124.4) + scores("large", "test", BLEU_4=39.6, CIDEr=127.7),
)
