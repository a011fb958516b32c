"""Data flows one way: who may import whom, and who may import which heavy library. See docs/architecture.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "unimo_paddle"
BASE = {"errors", "environment", "files", "console", "distributed", "operators"}
ALLOWED = {  # part -> the parts it may import, beside itself
    "errors": set(),
    "environment": set(),
    "files": {"errors"},
    "console": {"errors"},
    "plain_text": set(),
    "markup": {"plain_text"},
    "distributed": {"errors"},
    "operators": {"errors", "files", "console", "environment"},
    "safe_pickle": {"errors", "files"},
    "tensor_files": {"errors", "safe_pickle"},
    "config": {"errors", "files"},
    "region_distributions": set(),
    "region_shards": {"errors", "files", "region_distributions"},
    "region_index": {"region_shards"},
    "region_verify": {"files", "region_shards"},
    "region_parts": {"errors", "files", "region_shards"},
    "regions": BASE | {"region_shards", "region_index", "region_verify", "region_parts"},
    "region_tools": BASE | {"corpus", "region_distributions", "region_shards", "regions"},
    "token_store": {"errors", "files"},
    "corpus_shards": {"errors", "files"},
    "corpus_records": {"errors", "corpus_shards"},
    "corpus_sources": {"errors", "files", "corpus_shards"},
    "corpus_derived": BASE | {"corpus_shards", "corpus_records", "corpus_sources"},
    "corpus": BASE | {"corpus_shards", "corpus_records", "corpus_sources"},
    "records": {"errors", "files"},
    "task_spec": set(),
    "data": BASE | {"regions", "corpus", "token_store", "records", "task_spec"},
    "model": BASE | {"safe_pickle", "tensor_files", "data"},
    "objectives": BASE,
    "metrics": BASE,
    "generation": {"errors", "task_spec"},
    "workers": BASE,
    "vision": BASE
    | {"tensor_files", "corpus", "safe_pickle", "regions", "region_shards", "region_parts", "objectives", "metrics"}
    | {"workers", "model"},
    "prepare": BASE
    | {"workers", "regions", "corpus", "corpus_derived", "corpus_shards", "token_store", "data", "model", "config"}
    | {"tensor_files", "records", "task_spec", "tasks", "metrics", "region_tools", "markup", "plain_text"},
    "tasks": BASE | {"data", "model", "objectives", "metrics", "generation", "task_spec"},
    "engine": BASE | {"tensor_files", "config", "data", "model", "objectives", "metrics"},
    "retrieval": BASE | {"corpus"},
    "preflight": BASE | {"config", "corpus", "regions", "token_store", "engine"},
    "probes": BASE
    | {"corpus", "regions", "data", "model", "metrics", "generation", "task_spec", "retrieval", "engine"},
    "study": BASE | {"config", "engine", "workers"},
    "build": BASE
    | {"config", "regions", "corpus", "token_store", "data", "model", "objectives", "metrics"}
    | {"vision", "tasks", "task_spec", "records", "markup", "plain_text", "engine", "retrieval", "probes", "preflight"},
}
ONLY_IN = {  # heavy or delicate library -> the only parts that may name it
    "ppdet": {"vision"},
    "paddle.distributed": {"distributed"},
    "paddlenlp": set(),
    "pickle": {"safe_pickle"},
    "ray": {"workers"},
    "multiprocessing": {"prepare", "workers"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    """Every module a file names in an import, inside functions too."""
    package = ("unimo_paddle", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}".strip(".") for alias in node.names)


def test_every_part_is_in_the_table():
    assert {part_of(f) for f in FILES} - {"__init__"} <= ALLOWED.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_point_one_way(path):
    part = part_of(path)
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("unimo_paddle.")}
    wrong = ours - ALLOWED.get(part, set()) - {part, "__version__"}
    assert not wrong, f"{path.name} ({part}) must not import {sorted(wrong)}"
    for library, parts in ONLY_IN.items():
        named = [n for n in imports(path) if n == library or n.startswith(library + ".")]
        assert not named or part in parts, f"{path.name} must not import {named}: only {sorted(parts)} may"


def test_the_table_itself_has_no_cycle():
    left = {part: set(needs) for part, needs in ALLOWED.items()}
    while left:
        free = [part for part, needs in left.items() if not needs & left.keys()]
        assert free, f"a cycle among {sorted(left)}"
        for part in free:
            del left[part]


def test_light_modules_load_nothing_heavy():
    code = (
        "import sys, unimo_paddle.console, unimo_paddle.files, unimo_paddle.environment, unimo_paddle.config\n"
        "print([m for m in ('paddle', 'ppdet', 'paddlenlp', 'pyarrow', 'cv2', 'sklearn', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert done.stdout == "[]\n", done.stderr
