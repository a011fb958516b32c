"""The commands as a user types them."""

import json
from pathlib import Path

from tests.mini_world import call, refused
from tests.region_tools import foreign
from unimo_paddle.regions import RegionStore


def test_from_a_foreign_file_to_figures(tmp_path: Path) -> None:
    words = ["extract", "import", "--format", "bottom-up-tsv", "--family", "bottom-up-attention"]
    for name, images in (("a", foreign.many(3)), ("b", foreign.many(5))):
        source = foreign.write(tmp_path / f"{name}.tsv", [foreign.bottom_up(one, True) for one in images])
        done = call([*words, "--from", str(source), "--out", str(tmp_path / name)])
        assert done.status == 0 and f"{len(images)} images stored (0 were there before), 0 repeated" in done.out
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    done = call(["extract", "merge", *both, "--out", str(tmp_path / "all")])
    assert done.status == 0 and "5 images stored" in done.out
    done = call(["extract", "compare", *both])
    assert done.status == 0 and json.loads(done.out.splitlines()[-1])["same_class"] == 1
    (tmp_path / "ids").write_text("img4\n")
    part = ["extract", "subset", "--store", both[1], "--out", str(tmp_path / "part"), "--ids", str(tmp_path / "ids")]
    assert call(part).status == 0 and RegionStore(tmp_path / "part").ids == ["img4"]
    done = call(["extract", "stats", "--store", str(tmp_path / "all"), "--histograms", str(tmp_path / "s.png")])
    assert done.status == 0 and "5 images" in done.out and (tmp_path / "s.png").is_file()
    done = call(["extract", "verify", "--store", str(tmp_path / "all")])
    assert done.status == 0 and "5 images, 0 faults" in done.out


def test_refusals(tmp_path: Path) -> None:
    source = foreign.write(tmp_path / "a.tsv", ["x\ty"])
    words = ["extract", "import", "--format", "bottom-up-tsv", "--family", "f", "--from", str(source)]
    told = f"{source}:1: it has 2 columns; the known files have 6, 7"
    refused(call([*words, "--out", str(tmp_path / "out")]), told)
    for family in ("", " ", "a\tb", "a\x1b[2J"):
        again = ["extract", "import", "--format", "npz", "--from", "x", "--out", "o", "--family", family]
        refused(call(again), "argument --family: ", "is no name")
    refused(call([*words, "--out", ""]), "argument --out: the path is empty")
    refused(call(["extract", "merge", "", "x", "--out", "o"]), "argument STORE: the path is empty")
    for extra in (["--corpus", str(tmp_path)], ["--ids", "x", "--split", "y"]):
        words = ["extract", "subset", "--store", "s", "--out", "o", *extra]
        refused(call(words), "--corpus and --split belong together")
