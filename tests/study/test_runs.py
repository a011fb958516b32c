"""A run's folder and its tools: what is done again and what is not, failures, and processes that are stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mini_world import ROOT
from tests.study.sweeping import TINY, Sweep
from unimo_paddle.errors import UserError
from unimo_paddle.files import lock_directory
from unimo_paddle.study.process import Failure, last_json, run_child
from unimo_paddle.study.runs import file_name, flat

RATES = ["--grid", "optimizer.peak_lr=0.01,0.02", "train.seed=1..2"]
QUICK = ["-o", "train.save_every=1"]
STUDY = f"""\
kind: study
config: {TINY}
overrides: [train.save_every=1]
seeds: [1, 2]
variants:
  full: []
  slow: [optimizer.peak_lr=0.01]
evaluations:
  test: [evaluation.split=test]
output: {{directory: never}}
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_from_nothing_to_its_table(sweep: Sweep, jobs: str) -> None:
    status, told = sweep.ask(*RATES, *QUICK, "--jobs", jobs)
    assert status == 0, told
    assert f"2 variants, 4 runs; 0 done before, 4 to do, {jobs} at a time" in told
    assert "best by accuracy on split test: optimizer.peak_lr=0.02, 3.5 ± 0.71 over 2 seeds" in told
    rows = sweep.rows()
    assert sorted((row["variant"], row["seed"], row["score/accuracy"]) for row in rows) == [
        ("optimizer.peak_lr=0.01", 1, 2.0), ("optimizer.peak_lr=0.01", 2, 3.0),
        ("optimizer.peak_lr=0.02", 1, 3.0), ("optimizer.peak_lr=0.02", 2, 4.0)]  # fmt: skip
    one = rows[0]
    sums = [one[name] for name in ("steps", "examples", "tokens", "flops", "train_seconds")]
    assert sums == [10, 40, 1000, 1e7, 5.0]
    assert one["loss/total"] == 0.0 and one["loss/words"] == 20.0, "means over the last tenth: step 10"
    assert {"step": 3, "name": "loss/words", "value": 6.0} in one["curves"]
    assert {"step": 5, "name": "probe/seen", "value": 7.0} in one["curves"]
    assert one["state"] == "done" and one["in_grid"] and one["splits"] == ["test"] and len(one["commit"]) >= 7
    assert "peak_lr: 0.01" in one["config"] and one["overrides"] == ["optimizer.peak_lr=0.01", "train.save_every=1"]
    cores = len(os.sched_getaffinity(0))
    threads = {line.split()[2] for line in sweep.calls if line.startswith("train")}
    assert len(threads) == 1 and 1 <= int(threads.pop()) <= max(1, cores // int(jobs))


def test_what_is_done_is_not_done_again(sweep: Sweep) -> None:
    sweep.ask(*RATES, *QUICK)
    before = sweep.calls
    status, told = sweep.ask(*RATES, *QUICK)
    assert status == 0 and sweep.calls == before and "4 done before, 0 to do" in told and "best by accuracy" in told
    more = ["--grid", "optimizer.peak_lr=0.01,0.03", "train.seed=1..2"]
    sweep.ask(*more, *QUICK)
    assert len(sweep.calls) == len(before) + 4
    assert [row["in_grid"] for row in sweep.rows()] == [True] * 4 + [False] * 2, "older runs stay in the file"
    status, told = sweep.ask(*more, *QUICK, "--split", "val")
    assert [line.split()[2] for line in sweep.calls[len(before) + 4 :]] == ["val"] * 4, "judged again, not trained"
    assert "on split val" in told


def test_a_changed_configuration_never_meets_old_results(sweep: Sweep) -> None:
    grid = ["--grid", "optimizer.peak_lr=0.01", *QUICK]
    sweep.ask(*grid)
    sweep.ask(*grid, "train.steps=500")
    folders = sorted(path.name for path in (sweep.out / "runs").iterdir())
    assert folders == ["optimizer.peak_lr=0.01-seed1", "optimizer.peak_lr=0.01-seed1.2"] and len(sweep.calls) == 4
    sweep.ask(*grid, "train.log_every=7")
    assert len(sweep.calls) == 5, "what a run may change costs no training, here a new evaluation"
    sweep.ask(*grid, "train.steps=500")
    assert len(sweep.calls) == 5


def test_a_variant_and_an_evaluation_are_added_to_a_study(sweep: Sweep) -> None:
    study = sweep.root / "study.yaml"
    study.write_text(STUDY)
    status, told = sweep.ask(config=study)
    assert status == 0, told
    assert sorted(sweep.calls)[0].startswith("evaluate 1 test") and len(sweep.calls) == 8
    mine = sweep.root / "mine.yaml"
    mine.write_text("base: study.yaml\nvariants:\n  fast: [optimizer.peak_lr=0.03]\n")
    status, told = sweep.ask("--by", "test.accuracy", config=mine)
    assert status == 0 and len(sweep.calls) == 12 and "best by test.accuracy on split test: fast, 4.5" in told
    study.write_text(STUDY.replace("evaluations:\n", "evaluations:\n  val: [evaluation.split=val]\n"))
    status, told = sweep.ask(config=mine)
    assert status == 0 and sorted(sweep.calls[12:]) == sorted(["evaluate 1 val", "evaluate 2 val"] * 3)
    assert {"score/test.accuracy", "score/val.accuracy", "score/val.groups.yes/no"} <= sweep.rows()[0].keys()


def test_failed_runs_are_told_and_the_others_go_on(sweep: Sweep) -> None:
    words = ["--grid", "masking.span_rate=0.5,0.6,0.7", "train.seed=1", *QUICK]
    status, told = sweep.ask(*words)
    assert status == 1
    assert "2 of 3 runs failed; the same command tries them again:" in told
    err = sweep.out / "runs" / "masking.span_rate=0.5-seed1" / "train.err"
    assert f"masking.span_rate=0.5 seed 1: stub_tool.py ended with status 2: span_rate is no good (see {err})" in told
    assert "masking.span_rate=0.6 seed 1: stub_tool.py was ended by SIGKILL, perhaps for lack of memory" in told
    assert "best by accuracy on split test: masking.span_rate=0.7" in told
    assert [row["state"] for row in sweep.rows()] == ["failed", "failed", "done"]
    (sweep.root / "mended").touch()
    status, told = sweep.ask(*words)
    assert status == 1 and "1 of 3 runs failed" in told and "1 done before, 2 to do" in told
    assert sweep.rows()[0]["error"] == ""


def test_an_evaluation_without_json_fails_and_the_training_is_kept(sweep: Sweep) -> None:
    words = ["--grid", "masking.region_rate=0.5", *QUICK]
    status, told = sweep.ask(*words)
    assert status == 1 and "the evaluation's last line is no JSON object: no JSON" in told
    sweep.ask(*words)
    assert [line.split()[0] for line in sweep.calls] == ["train", "evaluate", "evaluate"]


def test_seeds_that_met_other_data_are_noted(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep.ask("--grid", "train.seed=1", *QUICK)
    monkeypatch.setenv("STUB_DATA", "b")
    assert "note: the runs differ in their data: corpus" in sweep.ask("--grid", "train.seed=1..2", *QUICK)[1]


def test_a_dry_run_writes_nothing(sweep: Sweep) -> None:
    status, told = sweep.ask(*RATES, "--dry-run")
    assert status == 0 and told.count("seed1: train, evaluation\n") == 2 and not sweep.out.exists()
    sweep.ask("--grid", "optimizer.peak_lr=0.01", "train.seed=1", *QUICK)
    assert "peak_lr=0.01-seed1: done\n" in sweep.ask(*RATES, *QUICK, "--dry-run")[1]


def test_requests_that_make_no_sense(sweep: Sweep) -> None:
    for words, message in [([], "is no study; say what varies"), (["--grid", "seed=1,2"], "did you mean train.seed?"),
                           (["--grid", "train.seed=1", "--jobs", "-1"], "workers is -1")]:  # fmt: skip
        with pytest.raises(UserError, match=message):
            sweep.ask(*words)
    (sweep.root / "study.yaml").write_text(STUDY)
    with pytest.raises(UserError, match="is a study, which says its variants .* leave out --grid and --split"):
        sweep.ask("--grid", "a=1", "--split", "dev", config=sweep.root / "study.yaml")
    assert not sweep.out.exists()
    sweep.out.mkdir()
    lock = lock_directory(sweep.out)
    with pytest.raises(UserError, match="another process is writing to"):
        sweep.ask("--grid", "train.seed=1")
    os.close(lock)
    with pytest.raises(UserError, match="--by bleu: no run has this score; there are accuracy"):
        sweep.ask("--grid", "train.seed=1", *QUICK, "--by", "bleu")


def test_each_worker_has_its_own_gpu(sweep: Sweep) -> None:
    status, told = sweep.ask(*RATES, *QUICK, "--gpus", "4,6")
    assert status == 0 and "2 at a time" in told
    assert {line.split()[4] for line in sweep.calls if line.startswith("train")} == {"4", "6"}


START = """
import sys
from tests.study.sweeping import TOOLS
from unimo_paddle.console import run_tool
from unimo_paddle.study.command import run
if __name__ == "__main__":
    run_tool(lambda words: run(words, "", TOOLS))
"""


@pytest.mark.parametrize(("jobs", "number"), [("1", signal.SIGTERM), ("2", signal.SIGTERM), ("1", signal.SIGKILL),
                                              ("2", signal.SIGKILL)])  # fmt: skip
def test_a_stopped_sweep_leaves_no_process_and_goes_on(sweep: Sweep, jobs: str, number: signal.Signals) -> None:
    script = sweep.root / "start.py"
    script.write_text(START)
    words = [*RATES, "--jobs", jobs]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, str(script), *sweep.words(*words, "-o", "train.save_every=60000")],
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    end = time.monotonic() + 20
    while len(sweep.calls) < int(jobs) and time.monotonic() < end:
        time.sleep(0.02)
    trainings = [int(line.split()[3]) for line in sweep.calls]
    assert len(trainings) == int(jobs) and all(map(is_alive, trainings))
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert number == signal.SIGKILL or b"run the same command again to go on" in err
    while any(map(is_alive, trainings)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_alive, trainings))
    status, told = sweep.ask(*words, *QUICK)
    assert status == 0 and "0 done before, 4 to do" in told
    assert len(list((sweep.out / "runs").iterdir())) == 4, "the same folders"


def test_names_of_files() -> None:
    assert file_name("optimizer.peak_lr=1e-5,data.batch=16") == "optimizer.peak_lr=1e-5,data.batch=16"
    odd = [file_name(name) for name in ("a/b", "a_b", "a b", "..", "x" * 300, "x" * 301)]
    assert len(set(odd)) == 6 and odd[1] == "a_b" and odd[0].startswith("a_b-") and max(map(len, odd)) < 100
    assert not [name for name in odd if "/" in name or name.startswith(".")]


def test_the_last_line_is_read() -> None:
    assert last_json('table\n{"a": 1}\n') == {"a": 1}
    for out in ("", "[1]", "x\ny", '{"a": 1}\nbye'):
        with pytest.raises(Failure, match="no JSON object"):
            last_json(out)
    assert flat({"a": 1, "b": {"c": 2.5, "d": "x"}, "e": True, "f": None}) == {"a": 1.0, "b.c": 2.5}


def test_a_tool_that_cannot_be_started_and_one_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="nowhere/x cannot be started: No such file"):
        run_child(["nowhere/x"], tmp_path / "a", {})
    with pytest.raises(Failure, match="sh ended with status 3: it said nothing"):
        run_child(["sh", "-c", "exit 3"], tmp_path / "a", dict(os.environ))
    assert run_child(["sh", "-c", "echo $A; echo no >&2"], tmp_path / "a", {**os.environ, "A": "b"}) == "b\n"
    assert (tmp_path / "a.err").read_text() == "no\n"
