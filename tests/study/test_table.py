"""The table: means and deviations by hand, ranks, what fits, what is noted, and what the Parquet file keeps."""

import math
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.study import table


def row(variant: str, seed: int, state: str = "done", commit: str = "c", data: str = "",
        **scores: float) -> dict[str, Any]:  # fmt: skip
    scored = {f"score/{name}": value for name, value in scores.items()}
    return {"variant": variant, "seed": seed, "state": state, "commit": commit, "data": data, **scored}


ROWS = [row("a", 1, accuracy=1.0, accuracy_low=0.5, f1=9.0), row("b", 1, accuracy=2.0, f1=3.0),
        row("c", 1, accuracy=50.0, f1=50.0), row("a", 2, accuracy=4.0, f1=1.0), row("b", 2, accuracy=2.0, f1=4.0),
        row("c", 2, "failed")]  # fmt: skip


def test_means_over_seeds_the_best_first_and_the_unfinished_last() -> None:
    lines, names = table.summarise(ROWS, None)
    assert names == ["accuracy", "f1"]
    assert [(line.variant, line.done, line.wanted) for line in lines] == [("a", 2, 2), ("b", 2, 2), ("c", 1, 2)]
    assert lines[0].scores["accuracy"] == (2.5, pytest.approx(math.sqrt(4.5)))  # (1.5^2 + 1.5^2) / (2 - 1)
    assert lines[1].scores["accuracy"] == (2.0, 0.0) and lines[1].scores["f1"][0] == 3.5
    by_f1, ordered = table.summarise([*ROWS, row("d", 1, f1=math.nan), row("d", 2, f1=1.0)], "f1")
    assert ordered == ["f1", "accuracy"] and [line.variant for line in by_f1] == ["a", "b", "d", "c"]


def test_what_a_person_reads() -> None:
    assert table.show(*table.summarise(ROWS, "f1")) == [
        "variant  seeds     f1 ± sd  accuracy",
        "a          2/2     5 ± 5.7       2.5",
        "b          2/2  3.5 ± 0.71         2",
        "c          1/2          50        50",
    ]


def test_an_unknown_score_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="--by bleu: no run has this score; there are accuracy, f1"):
        table.summarise(ROWS, "bleu")
    assert table.summarise([row("a", 1, "failed")], "bleu")[1] == [], "nothing is known yet"


def test_scores_that_do_not_fit_are_counted() -> None:
    wide = [row("v" * 60, 1, **{f"score_number_{number:02}": 1.0 for number in range(9)})]
    shown = table.show(*table.summarise(wide, "score_number_05"))
    assert max(map(len, shown)) <= 120 and "score_number_05" in shown[0]
    assert shown[-1] == "(7 more scores in the Parquet file)"


def test_other_code_and_other_data_are_noted() -> None:
    assert table.notes(ROWS) == []
    mixed = [row("a", 1, data='{"corpus": "x", "regions": "r"}'), row("b", 1, "failed", commit="e"),
             row("a", 2, commit="d", data='{"corpus": "y", "regions": "r"}')]  # fmt: skip
    assert table.notes(mixed) == ["the runs were trained at 2 commits: c, d", "the runs differ in their data: corpus"]


def test_a_column_that_a_row_lacks_is_null(tmp_path: Path) -> None:
    curves = [{"step": 1, "name": "loss/total", "value": 2.0}]
    table.write([{"seed": 1, "score/f1": 0.5}, {"seed": 2, "curves": curves}], tmp_path / "runs.parquet")
    assert pq.read_table(tmp_path / "runs.parquet").to_pylist() == [
        {"seed": 1, "score/f1": 0.5, "curves": None}, {"seed": 2, "score/f1": None, "curves": curves}]  # fmt: skip
