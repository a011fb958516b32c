"""Pictures in tar files: where they are, and what is said of tars that are none."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from unimo_paddle.errors import UserError
from unimo_paddle.vision.pictures import open_upright, read_picture
from unimo_paddle.vision.sources import listed_images
from unimo_paddle.vision.tars import key_of, tar_members

ENDINGS = {".jpg", ".png"}


def picture(shade: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (48, 40), shade).save(data, "PNG")
    return data.getvalue()


def pack(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize(("name", "key"), [
    ("000000012.jpg", "000000012"), ("./a/7.seg.png", "a/7"), ("a.b/c.jpg", "a.b/c"), ("été.jpg", "été"),
])  # fmt: skip
def test_keys_are_webdatasets(name: str, key: str) -> None:
    assert key_of(name) == key


def test_members_are_read_where_they_lie(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {"1.png": picture(10), "1.json": b"{}", "d/2.PNG": picture(20), "l" * 150 + ".png":
                                     picture(30)})  # fmt: skip
    found = list(tar_members(path, ENDINGS))
    assert [(key_of(m.name), open_upright(m).getpixel((0, 0))) for m in found] == [
        ("1", (10, 10, 10)), ("d/2", (20, 20, 20)), ("l" * 150, (30, 30, 30))
    ]  # fmt: skip
    assert read_picture("x", found[1], 32, 64).scaled == (32, 38) and str(found[1]) == f"{path}/d/2.PNG"


def test_links_and_folders_are_no_pictures(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name, kind in (("a.jpg", tarfile.SYMTYPE), ("b.jpg", tarfile.DIRTYPE), ("c.jpg", tarfile.LNKTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "../../etc/passwd"
            tar.addfile(entry)
    assert list(tar_members(tmp_path / "a.tar", ENDINGS)) == []


def test_a_tar_that_is_cut_gives_what_is_whole(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {f"{i}.png": picture(i) * 20 for i in range(5)})
    path.write_bytes(path.read_bytes()[: 512 * 11])  # within the third member
    images, unreadable = listed_images(path)
    assert [i for i, _ in images] == ["0", "1", "2"]
    with pytest.raises(UserError, match=r"a.tar/2.png is no readable image: the tar is cut short: .* bytes are there"):
        open_upright(images[2][1])
    assert [(u.id, u.place) for u in unreadable] == [("a.tar", path)]
    assert "is damaged after 3 pictures: unexpected end of data" in unreadable[0].reason


@pytest.mark.parametrize("make", [
    lambda path: pack(path, {"1.png": picture(1)}, "w:gz"), lambda path: path.write_bytes(b"no tar" * 200),
    lambda path: path.write_bytes(b""),
])  # fmt: skip
def test_no_plain_tar_is_listed(tmp_path: Path, make) -> None:
    make(tmp_path / "a.tar")
    images, unreadable = listed_images(tmp_path)
    assert images == [] and "a.tar is no plain tar (unpack a compressed one)" in unreadable[0].reason


def test_a_missing_tar_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("gone.tar\n")
    assert "gone.tar does not exist" in listed_images(tmp_path / "list.txt")[1][0].reason


def test_one_key_twice_is_refused(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", {"1.png": picture(1)})
    pack(tmp_path / "b.tar", {"1.jpg": picture(1)})
    with pytest.raises(UserError, match=r"a.tar/1.png and .*b.tar/1.jpg would both have the id '1'"):
        listed_images(tmp_path)
