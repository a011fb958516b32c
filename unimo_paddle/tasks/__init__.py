"""Tasks: what is learnt from which batches. No loops, no files.

TASKS is every task that there is, by name: declarations, which load nothing heavy. Pretraining is a task too
(pretraining.py); finetuning.py runs the model for all others.
"""

from unimo_paddle.task_spec import Task
from unimo_paddle.tasks import (
    cnndm,
    coco_caption,
    cola,
    coqa,
    custom,
    flickr30k,
    gigaword,
    mnli,
    snli_ve,
    squad_qg,
    sst2,
    stsb,
    vqa,
    vqa_generation,
)

__all__ = ["TASKS", "Task"]

_TEXTS = (sst2, mnli, cola, stsb, coqa, squad_qg, cnndm, gigaword)
_IMAGES = (vqa, vqa_generation, coco_caption, snli_ve, flickr30k)
TASKS: dict[str, Task] = {task.name: task for task in (*(module.TASK for module in _TEXTS + _IMAGES), *custom.TASKS)}
