"""What a failed step leaves behind, and what running it again says."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.engine.small_work import SmallWork, small_trainer
from tests.tasks.small_batch import make_batch
from unimo_paddle.engine.flat import TREE, arrays_of, read_tree, write_tree
from unimo_paddle.engine.log import read_metrics
from unimo_paddle.engine.replay import replay
from unimo_paddle.errors import UserError
from unimo_paddle.files import write_json

FAILED = "failed-step-00000015"


class Broken(SmallWork):
    """At step index 14 a weight that the second part alone looks up is no number."""

    def batch(self, step):
        batch = super().batch(step)
        if step == 14:
            self.model.table.weight.stop_gradient = True
            self.model.table.weight[int(batch.parts[1].tokens[-1])] = float("nan")
            self.model.table.weight.stop_gradient = False
            first = replace(batch.parts[0], tokens=np.full(24, (batch.parts[1].tokens[-1] + 1) % 50))
            batch = replace(batch, parts=[first, batch.parts[1]])
        return batch


def test_a_replay_names_the_first_layer(tmp_path):
    with pytest.raises(UserError, match=FAILED):
        small_trainer(tmp_path, 20, Broken()).run()
    lines = replay(tmp_path / FAILED, SmallWork())
    assert lines[0] == "step 15, seed 3, 1 processes, loss scale 1" and "parameter table.weight is not finite" in lines
    first, second = (next(i for i, line in enumerate(lines) if f"part {number} (Part)" in line) for number in (0, 1))
    assert "nan" not in lines[first] and lines[first + 1].startswith("    gradient ")
    assert "words nan / 64" in lines[second] and "square nan / 3200" in lines[second]
    assert lines[second + 1].endswith("not finite: table (Embedding); its inputs are finite")
    assert "gradient not finite for" in lines[second + 2]


class Spoiled(SmallWork):
    """A loss that is spoiled outside the model at step index 14."""

    spoil = float("nan")

    def losses(self, part):
        terms = super().losses(part)
        if np.array_equal(part.tokens, self.batch(14).parts[1].tokens):
            terms["words"] = replace(terms["words"], sum=terms["words"].sum + self.spoil)
        return terms


def test_a_replay_computes_what_the_step_did(tmp_path):
    """Weights, batch, dropout: a run that does not fail tells the same sums at that step."""
    with pytest.raises(UserError):
        small_trainer(tmp_path / "bad", 20, Spoiled()).run()
    good = Spoiled()
    good.spoil = 0.0
    small_trainer(tmp_path / "good", 20, good).run()
    told = read_metrics(tmp_path / "good" / "metrics.jsonl")[14].losses
    lines = replay(tmp_path / "bad" / FAILED, good)
    sums = [line.split("words ")[1].split(" /")[0] for line in lines if "(Part)" in line]
    assert sum(map(float, sums)) / 64 == pytest.approx(told["words"], rel=1e-5)


def test_what_is_no_failed_step_is_refused(tmp_path):
    with pytest.raises(UserError, match="it is no failed step"):
        replay(tmp_path, SmallWork())
    write_json(tmp_path / "step.json", {"step": 3})
    with pytest.raises(UserError, match="step.json is damaged"):
        replay(tmp_path, SmallWork())


@dataclass(frozen=True)
class Tree:
    name: str
    numbers: tuple
    more: dict
    nothing: None = None


def test_a_tree_comes_back_as_it_was(tmp_path):
    tree = Tree("a", (np.zeros((2, 0, 3), np.float32), np.int64(3), [True, 1.5]), {"b": np.arange(3), "c": None})
    write_tree(tmp_path, tree)
    found = read_tree(tmp_path)
    assert (found.name, found.numbers[1:], found.more["c"]) == ("a", (3, [True, 1.5]), None)
    np.testing.assert_array_equal(found.more["b"], [0, 1, 2])
    assert found.numbers[0].shape == (2, 0, 3) and found.numbers[0].dtype == np.float32
    assert sorted(arrays_of(tree)) == ["more.b", "numbers.0"]


def test_a_batch_of_the_task_comes_back(tmp_path):
    batch = make_batch("seq2seq")
    write_tree(tmp_path, batch)
    found, arrays = read_tree(tmp_path), arrays_of(batch)
    assert type(found.parts) is tuple and [type(part) for part in found.parts] == [type(part) for part in batch.parts]
    assert arrays_of(found).keys() == arrays.keys() and found.ids == batch.ids
    for key, array in arrays_of(found).items():
        np.testing.assert_array_equal(array, arrays[key], err_msg=key)
        assert array.dtype == arrays[key].dtype


@pytest.mark.parametrize(
    "tree",
    [{"class": ["os", "system"], "fields": {}}, {"class": ["no.module", "Batch"], "fields": {}}, {"array": "none"},
     {"class": [__name__, "Tree"], "fields": {}}, {"strange": 1}, {}, 7],
)  # fmt: skip
def test_a_damaged_tree_is_refused_and_runs_nothing(tmp_path, tree):
    write_tree(tmp_path, [1])
    (tmp_path / TREE).write_text(json.dumps(tree))
    with pytest.raises(UserError, match="does not fit"):
        read_tree(tmp_path)
