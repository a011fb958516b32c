"""What zero-shot retrieval is told as: a table for people, a flat object for programs."""

from __future__ import annotations

from unimo_paddle.metrics.retrieval import Recall

KS = (1, 5, 10)


def table(directions: dict[str, Recall]) -> list[str]:
    """Return the lines of the table that a person reads, recalls in per cent."""
    head = "".join(f"{f'R@{k}':>9}" for k in KS) + f"{'mean rank':>12}"
    lines = [f"{'':16}{head}"]
    for name, result in directions.items():
        lines.append(f"{name:16}" + "".join(f"{100 * result.at[k]:9.2f}" for k in KS) + f"{result.mean_rank:12.1f}")
        lines.append(f"{'  by chance':16}" + "".join(f"{100 * result.chance[k]:9.2f}" for k in KS))
    return lines


def as_json(directions: dict[str, Recall]) -> dict[str, float | int]:
    """Return one flat object: e.g. image_to_text_R@1, and the same by chance; recalls in [0, 1]."""
    flat: dict[str, float | int] = {}
    for name, result in directions.items():
        key = name.replace(" ", "_")
        for k in KS:
            flat[f"{key}_R@{k}"] = round(result.at[k], 6)
            flat[f"{key}_R@{k}_chance"] = round(result.chance[k], 6)
        flat |= {f"{key}_queries": result.queries, f"{key}_candidates": result.candidates}
    return flat
