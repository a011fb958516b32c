"""Every metric by name, in the unit in which the field publishes it. Task declarations name them.

Which one is published where: coco-caption's BLEU, METEOR, ROUGE-L-coco and CIDEr for captions; the same with
punctuation kept (-marks) for question generation, whose public scripts score tokens as they are; ROUGE-1, -2 and -L for
Gigaword, by sentences (ROUGE-Lsum) for CNN/DailyMail; f1 for CoQA.
"""

from __future__ import annotations

from collections.abc import Sequence

from unimo_paddle.errors import UserError
from unimo_paddle.metrics import answers, cider, java, labels, overlap, summaries
from unimo_paddle.metrics.bootstrap import Rows, Value, mean_of
from unimo_paddle.metrics.scored import Metric, Prediction, Scored, Truth, score

__all__ = ["METRICS", "Metric", "Prediction", "Scored", "Truth", "missing", "score_named"]


def _percent_mean(column: int = 0) -> Value:
    mean = mean_of(column)

    def value(rows: Rows, weights: Rows) -> Rows:
        return 100 * mean(rows, weights)

    return value


_ALL = (
    Metric("accuracy", "%", labels.class_rows, labels.accuracy),
    Metric("matthews", "x100", labels.class_rows, labels.matthews),
    Metric("pearson", "x100", labels.number_rows, labels.pearson),
    Metric("spearman", "x100", labels.number_rows, labels.spearman),
    Metric("pearson_spearman", "x100", labels.number_rows, labels.pearson_spearman),
    Metric("vqa_accuracy", "%", answers.vqa_rows, _percent_mean()),
    Metric("f1", "%", answers.coqa_rows, _percent_mean(0)),
    Metric("exact_match", "%", answers.coqa_rows, _percent_mean(1)),
    Metric("squad_f1", "%", answers.squad_rows, _percent_mean(0)),
    Metric("squad_exact_match", "%", answers.squad_rows, _percent_mean(1)),
    *(Metric(f"BLEU-{order}", "%", overlap.bleu_rows, overlap.bleu(order)) for order in range(1, overlap.ORDERS + 1)),
    Metric("BLEU-4-marks", "%", overlap.bleu_rows_with_marks, overlap.bleu(4)),
    Metric("sacrebleu", "%", overlap.sacrebleu_rows, overlap.sacrebleu),
    Metric("METEOR", "%", java.meteor_rows, java.meteor, java.no_meteor),
    Metric("METEOR-marks", "%", java.meteor_rows_with_marks, java.meteor, java.no_meteor),
    *(Metric(f"ROUGE-{kind}", "%", summaries.rouge_rows, _percent_mean(place)) for place, kind in enumerate("12L")),
    Metric("ROUGE-Lsum", "%", summaries.rouge_lsum_rows, _percent_mean()),
    Metric("ROUGE-L-coco", "%", overlap.rouge_l_rows, _percent_mean()),
    Metric("ROUGE-L-coco-marks", "%", overlap.rouge_l_rows_with_marks, _percent_mean()),
    # coco-caption's CIDEr is what its paper calls CIDEr-D; both names are in use
    Metric("CIDEr", "x100", cider.cider_rows, _percent_mean()),
    Metric("CIDEr-D", "x100", cider.cider_rows, _percent_mean()),
    Metric("SPICE", "%", java.spice_rows, _percent_mean(), java.no_spice),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def score_named(
    names: Sequence[str], predictions: Sequence[Prediction], truths: Sequence[Truth], seed: int = 0
) -> dict[str, Scored]:
    """Score predictions by metrics of these names, see scored.score; UserError for a name that there is not."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise UserError(f"{', '.join(unknown)} is no metric; there are {', '.join(METRICS)}")
    return score([METRICS[name] for name in names], predictions, truths, seed)


def missing(names: Sequence[str]) -> dict[str, str]:
    """Return of these metrics those that cannot be computed here, each with the reason."""
    reasons = {name: METRICS[name].missing() for name in names}
    return {name: reason for name, reason in reasons.items() if reason}
