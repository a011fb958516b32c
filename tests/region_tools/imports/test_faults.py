"""What is wrong with a file is told by file and line; nothing is half-done; a killed import goes on."""

import base64
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.region_tools import foreign
from unimo_paddle.errors import UserError
from unimo_paddle.region_tools.imports.fields import Names, read_names
from unimo_paddle.region_tools.imports.run import Request, import_features, read_renames
from unimo_paddle.regions import RegionStore, verify

ONE, TWO = foreign.many(2)


def run(format_: str, source: Path, **more):
    return import_features(Request(format_, source, "test", **more), source.parent / "store")


def fault(format_: str, source: Path, keep: bool = False, **more) -> str:
    with pytest.raises(UserError) as caught:
        run(format_, source, **more)
    assert not (source.parent / "store").exists()
    if not keep:
        shutil.rmtree(source.parent / "store.part", ignore_errors=True)
    return str(caught.value)


def with_field(line: str, place: int, value: object, separator: str = "\t") -> str:
    fields = line.split(separator)
    fields[place] = str(value)
    return separator.join(fields)


LINE = foreign.bottom_up(TWO)
BAD_BOX = foreign.b64(np.float32([[0, 0, 70, 10]] * len(TWO.boxes)))
NAN = foreign.b64(np.full((len(TWO.boxes), foreign.WIDTH), np.nan, np.float32))


@pytest.mark.parametrize(("line", "message"), [
    ("a\tb", "it has 2 columns, not the file's 6 (image_id, image_w"),
    (with_field(LINE, 1, "wide"), "image_w is 'wide', a number is wanted"),
    (with_field(LINE, 2, "nan"), "image_h is 'nan', a whole number of at least 1"),
    (with_field(LINE, 3, 0), "num_boxes is '0'"),
    (with_field(LINE, 3, 5), "boxes has 48 bytes, which are not 5 x 4 of float32"),
    (with_field(LINE, 4, "%%"), "boxes is not base64"),
    (with_field(LINE, 4, BAD_BOX), "box [0.0, 0.0, 70.0, 10.0] of region 0 is not inside 40 x 60 pixels"),
    (with_field(LINE, 5, LINE.split("\t")[5][:-8]), "features has 138 bytes, which are not 3 rows of float32"),
    (with_field(LINE, 5, foreign.b64(TWO.features[:, :8])), "its arrays have the shapes"),
    (with_field(LINE, 5, NAN), "features hold nan in row 0, which is no number"),
    (with_field(LINE, 5, foreign.b64(TWO.features * 1e6)), "a feature of "),
    (with_field(LINE, 0, ""), "it has no image id"),
    (with_field(LINE, 0, "img0"), "the image 'img0' was there before with other numbers"),
])  # fmt: skip
def test_faulty_lines(tmp_path: Path, line: str, message: str) -> None:
    path = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(ONE), line])
    told = fault("bottom-up-tsv", path, keep=True)
    assert f"{path}:2: {message}" in told and "1 of the items cannot be taken" in told, told
    report = run("bottom-up-tsv", path, skip_faulty=True)
    assert (report.stored + report.before, len(report.faults)) == (1, 1)
    assert RegionStore(tmp_path / "store").ids == ["img0"] and verify(tmp_path / "store") == []
    assert f"{path}:2: {message}" in (tmp_path / "store" / "skipped.txt").read_text()


@pytest.mark.parametrize(("place", "value", "message"), [
    (12, foreign.b64(TWO.class_probs * 2), "class probabilities of region 0 sum to 2.0000, not 1"),
    (13, foreign.b64(TWO.attr_probs - 0.5), "attribute probabilities hold -0."),
])  # fmt: skip
def test_faulty_captions(tmp_path: Path, place: int, value: object, message: str) -> None:
    lines = [foreign.caption(ONE), with_field(foreign.caption(TWO), place, value, ";")]
    assert f"{tmp_path / 'a'}:2: {message}" in fault("release", foreign.write(tmp_path / "a", lines))


def test_a_size_that_contradicts_the_file(tmp_path: Path) -> None:
    lines = [foreign.flickr(one) for one in foreign.many(4)] + [foreign.flickr(foreign.found("x", 9), False)]
    path = foreign.write(tmp_path / "a", lines)
    assert f"{path}:5: box [0.0, 0.0, 60.0, 40.0] of region 0 is not inside 40 x 60 pixels" in fault("release", path)


def test_the_order_of_sizes_cannot_be_told(tmp_path: Path) -> None:
    small = replace(ONE, boxes=ONE.boxes * 0.5)
    path = foreign.write(tmp_path / "a", [foreign.flickr(small)])
    assert f"(e.g. {path}:1); give --size-order width-first or height-first" in fault("release", path)
    assert run("release", path, order="height-first").stored == 1
    assert RegionStore(tmp_path / "store").read("img0").width == 40
    square = foreign.found("s", 1, 50, 50)
    (tmp_path / "b").mkdir()
    assert run("release", foreign.write(tmp_path / "b" / "a", [foreign.flickr(square)])).stored == 1
    even = [foreign.flickr(ONE), foreign.flickr(replace(ONE, key="y"), False)]
    path = foreign.write(tmp_path / "c" / "a", even)
    assert f"1 lines say that the width comes first (e.g. {path}:1)" in fault("release", path)


def test_a_line_of_no_layout_and_of_another(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a", ["no;thing", foreign.flickr(ONE), foreign.caption(TWO)])
    told = fault("release", path)
    assert f"{path}:1: it has 2 fields between ';' and 1 between TABs; the released layouts have 7 (Flickr30k)" in told
    assert f"{path}:3: it has 16 fields between ';' and 1 between TABs, not the 7 of the file's first line" in told


def test_a_gz_that_is_broken_off(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.gz", [foreign.flickr(one) for one in foreign.many(4)])
    os.truncate(path, path.stat().st_size - 500)
    assert "the file is broken off or damaged" in fault("release", path)
    path.write_bytes(b"no gz")
    assert "the file is broken off or damaged" in fault("release", path)


def test_only_so_many_faults_are_shown_and_nothing_taken_is_an_error(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(ONE), *["x\ty"] * 30])
    told = fault("bottom-up-tsv", path)
    assert told.count("a.tsv:") == 20 and "30 of the items" in told and "and 10 more" in told
    path = foreign.write(tmp_path / "b.tsv", ["x\ty"] * 2)
    assert "nothing could be taken" in fault_of(path, skip_faulty=True)
    foreign.write(path, [])
    assert "holds no image" in fault_of(path)


def fault_of(path: Path, **more) -> str:
    with pytest.raises(UserError) as caught:
        import_features(Request("bottom-up-tsv", path, "test", **more), path.parent / path.stem)
    return str(caught.value)


def test_vinvl_faults(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    foreign.vinvl_features([ONE, TWO], folder)
    features = folder / "features.tsv"
    good = features.read_text().splitlines()
    (folder / "features.lineidx").unlink()

    def told(line: str) -> str:
        foreign.write(features, [good[0], line])
        return fault("vinvl-tsv", folder)

    assert f"{features}:2: {folder}/predictions.tsv has no line of the key 'other'" in told("other\t2\tAAAA")
    assert "features.tsv:2: it has the features of 5 boxes, but 3 objects are listed" in told(
        good[1].replace("\t3\t", "\t5\t")
    )
    assert "features.tsv:2: it has one column" in told("img1")
    foreign.write(folder / "predictions.tsv", ["img0\t{}", "img1\t{"])
    foreign.write(features, good)
    message = fault("vinvl-tsv", folder)
    assert ":1: it has no list of objects" in message and ":2: what follows the key is not JSON" in message
    (folder / "predictions.tsv").unlink()
    assert "its boxes belong in" in fault("vinvl-tsv", folder)


@pytest.mark.parametrize(("change", "message"), [
    ({"conf": "high"}, "an object's conf is 'high'"), ({"conf": 1.5}, "has the confidence 1.5, not 0 to 1"),
    ({"rect": [1, 2, 3]}, "each needs a rect of 4 numbers"), ({"rect": [1, 2, 3, "x"]}, "rect holds something"),
    ({"rect": [1, 2, 3, 10**400]}, "rect holds something that is no number, or too large a one"),
    ({"conf": 10**400}, "conf holds something"), ({"conf": True, "rect": [1, 2, 3, 1e400]}, "rect hold inf in row 0"),
    ({"attr_scores": [10**400, 0.1]}, "attr_scores holds something"), ({"attr_scores": ["x", 1]}, "attr_scores holds"),
    ({"attr_scores": [0.5]}, "the attributes of object 0 are 2, but its attr_scores 1 numbers"),
    ({"attr_scores": 0.5}, "the attributes of object 0 are 2, but its attr_scores '0.5'"),
    ({"attributes": "red"}, "an object's attributes are 'red', a list of names is wanted"),
    ({"attributes": [["red"], "big"]}, "a list of names is wanted"),
    ({"class": "unicorn"}, "the class 'unicorn' is not among the 7 names"), ({"feature": None}, "feature is 'None'"),
])  # fmt: skip
def test_vinvl_faulty_objects(tmp_path: Path, change: dict, message: str) -> None:
    objects = foreign.objects(ONE, True)
    objects[0].update(change)
    value = {"image_w": 60, "image_h": 40, "objects": objects}
    path = foreign.write(tmp_path / "predictions.tsv", [f"a\t{json.dumps(value)}"])
    names = Names(("__background__", *foreign.NAMES), ("__none__", *foreign.ATTRIBUTE_NAMES))
    assert f"{path}:1: " in (told := fault("vinvl-tsv", path, names=names)) and message in told


@pytest.mark.parametrize("told", [9, 10**400, "4"])
def test_vinvl_boxes_that_are_not_the_objects(tmp_path: Path, told: object) -> None:
    value = {"image_w": 60, "image_h": 40, "num_boxes": told, "objects": foreign.objects(ONE, True)}
    path = foreign.write(tmp_path / "predictions.tsv", [f"a\t{json.dumps(value)}"])
    assert f"{path}:1: num_boxes is {str(told)[:40]}, but 2 objects are listed" in fault("vinvl-tsv", path)


def test_vinvl_names_are_collected_from_lists_only(tmp_path: Path) -> None:
    objects = [foreign.objects(one, True) for one in (ONE, TWO)]
    objects[0][0]["attributes"] = "xyz"
    lines = [f"{i}\t{json.dumps({'image_w': 60, 'image_h': 60, 'objects': one})}" for i, one in enumerate(objects)]
    path = foreign.write(tmp_path / "predictions.tsv", lines)
    run("vinvl-tsv", path, skip_faulty=True)
    store = RegionStore(tmp_path / "store")
    assert store.ids == ["1"] and not {"x", "y", "z"} & {*store.meta.attributes}


@pytest.mark.parametrize("format_", ["bottom-up-tsv", "release", "vinvl-tsv", "npz"])
def test_ids_that_are_not_utf_8(tmp_path: Path, format_: str) -> None:
    folder = tmp_path / "files"
    path = {
        "bottom-up-tsv": lambda: foreign.write(folder / "a.tsv", [*map(foreign.bottom_up, (ONE, TWO))]),
        "release": lambda: foreign.write(folder / "a", [*map(foreign.flickr, (ONE, TWO))]),
        "vinvl-tsv": lambda: foreign.vinvl_features([ONE, TWO], folder),
        "npz": lambda: foreign.npz(TWO, folder) and foreign.npz(ONE, folder),
    }[format_]()
    if format_ == "npz":
        path.rename(os.fsdecode(os.fsencode(folder) + b"/i\xe9.npz"))
    for file in folder.glob("*" if format_ != "npz" else "no"):
        file.write_bytes(file.read_bytes().replace(b"img0", b"i\xe9"))
    (folder / "features.lineidx").unlink(missing_ok=True)
    assert "the image id b'i\\xe9' is not UTF-8" in fault(format_, folder)
    assert run(format_, folder, skip_faulty=True).stored == 1 and RegionStore(tmp_path / "store").ids == ["img1"]
    assert "not UTF-8" in (tmp_path / "store" / "skipped.txt").read_text()


@pytest.mark.parametrize(("place", "value", "message"), [
    (5, NAN, "features hold nan in row 0"), (4, BAD_BOX, "box [0.0, 0.0, 70.0, 10.0] of region 0 is not inside"),
    (5, foreign.b64(TWO.features * 1e6), "a feature of "),
])  # fmt: skip
def test_a_repeated_image_with_faults_of_its_own(tmp_path: Path, place: int, value: str, message: str) -> None:
    path = foreign.write(tmp_path / "a.tsv", [LINE, with_field(LINE, place, value)])
    told = fault("bottom-up-tsv", path)
    assert f"{path}:2: {message}" in told and "was there before" not in told


def test_vinvl_without_a_size(tmp_path: Path) -> None:
    path = foreign.vinvl_predictions([ONE], tmp_path / "files")
    (tmp_path / "files" / "hw.tsv").unlink()
    assert "its size is neither in the line (image_w, image_h) nor in a .hw.tsv" in fault("vinvl-tsv", path.parent)


def test_vinvl_copy_that_was_cut_short(tmp_path: Path) -> None:
    path = foreign.vinvl_features(foreign.many(3), tmp_path / "files")
    lines = path.read_text().splitlines()
    foreign.write(path, lines[:2])
    assert "it has 2 lines, its .lineidx 3: it was cut short" in fault("vinvl-tsv", path.parent)
    foreign.write(path, [lines[1], *lines[1:]])
    assert "the two do not belong together" in fault("vinvl-tsv", path.parent)


@pytest.mark.parametrize(("change", "message"), [
    ({"image_w": None}, "it has no image_w, but x, bbox, num_bbox, image_h, info; info is a pickled object, which is"),
    ({"num_bbox": 9}, "bbox has the shape (2, 4), num_bbox is 9"), ({"num_bbox": [1, 2]}, "num_bbox is 'an array of"),
    ({"x": np.zeros((5, 7))}, "x has the shape (5, 7), which does not belong to 2"),
    ({"x": np.array(["a"])}, "x is <U1 of the shape (1,)"), ({"bbox": np.zeros((2, 5))}, "bbox has the shape (2, 5)"),
    ({"cls_prob": np.full((1, 2), 0.5)}, "cls_prob has 1 rows for 2 boxes"),
    ({"objects_id": np.zeros(2), "objects_conf": np.zeros(2)}, "objects_id and objects_conf have the shapes"),
])  # fmt: skip
def test_npz_faults(tmp_path: Path, change: dict, message: str) -> None:
    path = foreign.npz(ONE, tmp_path / "npz", **change)
    assert f"{path}: {message}" in fault("npz", path.parent)


def test_npz_that_is_none(tmp_path: Path) -> None:
    path = foreign.npz(ONE, tmp_path / "npz")
    path.write_bytes(path.read_bytes()[:200])
    assert f"{path}: it is no whole .npz file" in fault("npz", path.parent)
    np.save(tmp_path / "npz" / "img1.npy", np.zeros(3))
    (tmp_path / "npz" / "img1.npy").rename(path)
    assert f"{path}: it is no " in fault("npz", path.parent)


def test_nothing_runs_from_a_pickle(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    foreign.npz(ONE, tmp_path / "npz", info=np.array(Trap(), object))
    assert run("npz", tmp_path / "npz").stored == 1 and not (tmp_path / "ran").exists()


def test_ids_are_renamed(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(ONE), foreign.bottom_up(TWO)])
    ids = foreign.write(tmp_path / "ids.txt", ["img0\t17"])
    assert f"{path}:2: the list of ids has no 'img1'" in fault("bottom-up-tsv", path, renames=read_renames(ids))
    run("bottom-up-tsv", path, renames=read_renames(ids), skip_faulty=True)
    assert RegionStore(tmp_path / "store").ids == ["17"]
    for lines, message in ((["img0 17"], "ids.txt:1"), (["a\t1", "a\t2"], "ids.txt:2"), (["a\t1", "b\t1"], "the same")):
        with pytest.raises(UserError, match=message):
            read_renames(foreign.write(ids, lines))


def test_lists_of_names(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "names.txt", ["yolk", "goal,goals", "bathroom"])
    assert read_names(path, "__background__", "x") == ("__background__", "yolk", "goal", "bathroom")
    assert read_names(foreign.write(path, ["__none__", "a"]), "__none__", "x") == ("__none__", "a")
    with pytest.raises(UserError, match="doubled names: a"):
        read_names(foreign.write(path, ["a", "a"]), "__none__", "x")
    for value, message in (([], "no 'x'"), ({"x": {"a": 1, "b": 3}}, "have gaps")):
        (tmp_path / "n.json").write_text(json.dumps(value))
        with pytest.raises(UserError, match=message):
            read_names(tmp_path / "n.json", "__none__", "x")
    source = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(ONE, True)])
    told = fault("bottom-up-tsv", source, names=Names(("__background__", "a", "b")))
    assert "there are 7 classes with __background__, but 3 names were given" in told


def test_missing_sources(tmp_path: Path) -> None:
    for source, message in ((tmp_path / "no", "does not exist"), (tmp_path, "has no files that end in .npz")):
        with pytest.raises(UserError, match=message):
            run("npz", source)
    listed = foreign.write(tmp_path / "train_filelist", ["gone.gz"])
    assert "gone.gz does not exist, neither as it is nor beside" in fault("release", listed)


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(one) for one in foreign.many(9)])
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from unimo_paddle.region_tools.imports import run\n"
        "run.IMAGES_PER_SHARD = 2\n"
        "append, count = run.RegionStoreWriter.append, [0]\n"
        "def counted(*args):\n"
        "    append(*args); count[0] += 1\n"
        "    if count[0] == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "run.RegionStoreWriter.append = counted\n"
        "run.import_features(run.Request('bottom-up-tsv', Path(sys.argv[1]), 'test'), Path(sys.argv[2]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path), str(tmp_path / "store")], check=False)
    assert ended.returncode == -signal.SIGKILL and not (tmp_path / "store").exists()
    report = run("bottom-up-tsv", path)
    assert (report.before, report.stored) == (4, 5)
    assert RegionStore(tmp_path / "store").ids == [f"img{i}" for i in range(9)] and verify(tmp_path / "store") == []
    with pytest.raises(UserError, match="exists and is not empty; name another folder"):
        run("bottom-up-tsv", path)
    (tmp_path / "store" / "shard-00001.json").unlink()  # damaged, and the advice is followed
    (tmp_path / "store").rename(tmp_path / "store.part")
    assert run("bottom-up-tsv", path).stored == 2 and len(RegionStore(tmp_path / "store")) == 9


def test_an_unfinished_import_of_other_files_is_refused(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.tsv", [foreign.bottom_up(ONE), "x"])
    fault("bottom-up-tsv", path, keep=True)
    foreign.write(path, [foreign.bottom_up(TWO)])
    assert "was begun with other files or settings" in fault("bottom-up-tsv", path)


def test_a_line_may_be_long_but_not_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unimo_paddle.region_tools.imports.lines.LONGEST_LINE", 1 << 20)
    path = tmp_path / "a.tsv"
    path.write_bytes(base64.b64encode(b"\0" * (1 << 20)))
    assert f"{path}:1: the line is longer than 1 MiB" in fault("bottom-up-tsv", path)


def test_importing_needs_no_paddle() -> None:
    code = (
        "import sys, unimo_paddle.region_tools.command as c, unimo_paddle.region_tools.imports.run\n"
        "import unimo_paddle.region_tools.compare, unimo_paddle.region_tools.joining, unimo_paddle.region_tools.stats\n"
        "print([m for m in ('paddle', 'ppdet', 'cv2', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_gz_is_read_as_it_is_unpacked(tmp_path: Path) -> None:
    path = foreign.write(tmp_path / "a.tsv.gz", [foreign.bottom_up(ONE), foreign.bottom_up(TWO)])
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 2
    assert run("bottom-up-tsv", tmp_path / "a.tsv.gz").stored == 2
