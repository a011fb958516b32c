"""Fine-tuning's settings: what is refused, and that the shipped configurations say what the release did."""

from pathlib import Path

import pytest

from unimo_paddle.config import load_run
from unimo_paddle.errors import UserError
from unimo_paddle.tasks import TASKS

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "finetune"
SHIPPED = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem != "small_world")
# release.md, section 8: task -> size -> (examples of a step, peak rate, epochs, warm-up, weight decay, beta 2)
PUBLISHED = {
    "sst2": {"base": (256, 2e-5, 10, 0.06, 0.0, 0.98)},
    "cnndm": {"base": (32, 4e-5, 20, 0.06, 0.01, 0.98), "large": (32, 2e-5, 20, 0.06, 0.01, 0.98)},
    "gigaword": {"base": (128, 3e-5, 10, 0.06, 0.01, 0.98), "large": (128, 3e-5, 10, 0.06, 0.01, 0.98)},
    "squad_qg": {"base": (32, 1.25e-5, 20, 0.06, 0.01, 0.98), "large": (32, 5e-6, 20, 0.06, 0.01, 0.98)},
    "coqa": {"base": (32, 1e-5, 20, 0.06, 0.01, 0.98), "large": (32, 8e-6, 20, 0.06, 0.01, 0.98)},
    "flickr30k": {"base": (64, 5e-6, 40, 0.0, 0.1, 0.98), "large": (32, 5e-6, 40, 0.0, 0.1, 0.98)},
    "snli_ve": {"base": (192, 1e-5, 10, 0.06, 0.0, 0.999), "large": (64, 1e-5, 10, 0.06, 0.0, 0.999)},
    "coco_caption": {"base": (64, 7e-6, 20, 0.06, 0.01, 0.98), "large": (32, 7e-6, 10, 0.06, 0.01, 0.98)},
}  # fmt: skip
NEEDED = """\
kind: finetune
task: vqa
data: {records: work/vqa, tokenizer: work/tokenizer}
output: {directory: runs/x}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(NEEDED)
    return file


@pytest.mark.parametrize(("task", "size"), [(task, size) for task, sizes in PUBLISHED.items() for size in sizes])
def test_the_published_recipe_is_the_configuration(task, size):
    run = load_run(CONFIGS / f"{task}_{size}.yaml")
    told = run.optimizer
    found = (run.data.batch, told.peak_lr, run.train.epochs, told.warmup, told.weight_decay, told.betas[1])
    assert found == pytest.approx(PUBLISHED[task][size])


def words_of(head):
    return head.replace(",", " ").split()


def test_every_task_of_the_paper_has_a_configuration_of_each_size():
    for name, task in TASKS.items():
        if task.published:
            for size in ("base", "large"):
                run = load_run(CONFIGS / f"{name}_{size}.yaml")
                assert (run.task, run.model.size) == (name, size)
                head = (CONFIGS / f"{name}_{size}.yaml").read_text().split("\nkind:")[0].split("\nbase:")[0]
                scores = [one.score for one in task.published if one.size == size]
                told = set(words_of(head))
                missing = [score for score in scores if not {f"{score:g}", f"{score:.1f}", f"{score:.2f}"} & told]
                assert scores and not missing, (name, size, missing)


@pytest.mark.parametrize("config", SHIPPED, ids=lambda path: path.stem)
def test_a_header_says_command_and_score(config):
    head = [line for line in config.read_text().splitlines() if line.startswith("#")]
    assert f"configs/finetune/{config.name}" in "\n".join(head)
    assert any(line.startswith("#   score") for line in head)
    assert load_run(config).task in TASKS


def test_what_does_not_go_together_is_refused_at_once(path):
    with pytest.raises(UserError) as error:
        load_run(path, ["adversarial.steps=2", "reward.samples=1", "data.batch=30", "train.accumulate=4",
                        "data.max_tokens=600"])  # fmt: skip
    told = str(error.value)
    for part in ("reward.samples is 1", "train.accumulate is 4, which does not divide data.batch, 30",
                 "data.max_tokens is 600, but the position table has room for 512"):  # fmt: skip
        assert part in told
    with pytest.raises(UserError, match=r"hard_negatives is 60, more than data.pool, 50"):
        load_run(path, ["data.hard_negatives=60"])


def test_passes_of_their_own_are_not_for_shared_gradients(path):
    for wish in ("adversarial.steps=1", "reward.samples=1"):
        with pytest.raises(UserError, match=r"parallel.stage is 2, but adversarial training and rewards"):
            load_run(path, [wish, "parallel.stage=2", "parallel.sharding=2"])


def test_epochs_become_steps(path):
    run = load_run(path, ["train.epochs=2.5", "train.seed=7"])
    assert (run.train.in_steps(10).steps, run.train.in_steps(10).seed) == (25, 7)
    assert load_run(path, ["train.epochs=0.01"]).train.in_steps(10).steps == 1


def test_decoding_changes_only_what_is_given(path):
    assert load_run(path).decoding.given() == {}
    assert load_run(path, ["decoding.beams=9", "decoding.block_trigrams=yes"]).decoding.given() == {
        "beams": 9, "block_trigrams": True}  # fmt: skip
