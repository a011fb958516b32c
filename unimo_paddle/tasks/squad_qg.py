"""SQuAD question generation: the question to which a part of a passage is the answer."""

from __future__ import annotations

from unimo_paddle.task_spec import Decoding, Generate, Task, scores

TASK = Task(
    name="squad_qg",
    title="SQuAD, question generation",
    reads=("text", "text_b", "target"),
    head=Generate(),
    metrics=("BLEU-4-marks", "METEOR-marks", "ROUGE-L-coco-marks"),
    best_by="BLEU-4-marks",
    formats={"public": "squad_qg", "release": "seq2seq_release"},
    decoding=Decoding(beams=5, length_penalty=1.0, most=48, least=5),
    published=scores("base", "test", BLEU_4_marks=22.78, METEOR_marks=25.24, ROUGE_L_coco_marks=51.34)
    + scores("large", "test", BLEU_4_marks=24.59, METEOR_marks=26.39, ROUGE_L_coco_marks=52.47),
)
