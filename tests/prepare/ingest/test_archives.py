"""Packed files and tars as streams: the same lines as plain, and every damage with its place."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.prepare.ingest.packing import PACK, openwebtext, tar
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.faults import Faults
from unimo_paddle.prepare.ingest import archives
from unimo_paddle.prepare.ingest.archives import about, content_of, lines_of, read_lines, streams

TEXT = "".join(f"line {i} {np.random.default_rng(i).integers(1 << 60)}\n" for i in range(3000)).encode()


def read_all(path: Path) -> tuple[dict[str, bytes], list[str]]:
    """Every text of a file by its place, and the faults."""
    faults = Faults()
    found = {}
    with path.open("rb") as packed:
        for inside, stream in streams(packed, path, lambda name: name.endswith((".txt", ".xz", ".tar")), faults):
            found[inside] = b"".join(f"{line}\n".encode() for _, line in lines_of(stream, f"{path}{inside}", faults))
    return found, faults.first


def save(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_lines_keep_their_numbers_and_name_bad_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\n\n  \nbad \xff\nfive \xc3\xa9\n\xe4\xbd last")
    faults = Faults()
    assert list(read_lines(path, faults)) == [(1, "one"), (5, "five é")]
    assert faults.first == [f"{path}:4: byte 4 (0xff) is not UTF-8; save the file as UTF-8",
                            f"{path}:6: byte 0 (0xe4) is not UTF-8; save the file as UTF-8"]


@pytest.mark.parametrize("ending", PACK)
def test_packed_equals_plain(tmp_path: Path, ending: str) -> None:
    plain, packed = save(tmp_path / "a.txt", TEXT), save(tmp_path / f"a.txt{ending}", PACK[ending](TEXT))
    twice = save(tmp_path / f"b.txt{ending}", PACK[ending](TEXT) + PACK[ending](b"more\n"))   # as pigz and cat make
    faults = Faults()
    assert list(read_lines(packed, faults)) == list(read_lines(plain, faults))
    assert list(read_lines(twice, faults))[-1] == (3001, "more") and not faults


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("cut", [10, 4000])
def test_a_cut_stream_is_a_fault(tmp_path: Path, ending: str, cut: int) -> None:
    path, faults = save(tmp_path / f"a.txt{ending}", PACK[ending](TEXT)[:-cut]), Faults()
    assert len(list(read_lines(path, faults))) < 3000
    assert len(faults) == 1 and f"{archives.KINDS[ending]} stream is damaged from here on" in faults.first[0]
    assert faults.first[0].startswith(f"{path}:")


@pytest.mark.parametrize("ending", PACK)
def test_what_is_not_packed_and_what_is_wrong_inside(tmp_path: Path, ending: str) -> None:
    packed = bytearray(PACK[ending](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    for data in (b"plain text, misnamed\n", bytes(packed)):
        faults = Faults()
        list(read_lines(save(tmp_path / f"a{ending}", data), faults))
        assert "damaged from here on" in faults.first[-1]


def test_openwebtexts_tars_in_a_tar(tmp_path: Path) -> None:
    subsets = {"urlsf_subset00-1": {"0001-a.txt": b"One.\n", "0002-b.txt": b"Two.\n", "notes.md": b"no text"},
               "urlsf_subset00-2": {"0001-a.txt": b"Three.\n"}}
    found, faults = read_all(save(tmp_path / "openwebtext.tar.xz", openwebtext(subsets)))
    folder = "/openwebtext/urlsf_subset00"
    assert found == {f"{folder}-1_data.xz/0001-a.txt": b"One.\n", f"{folder}-1_data.xz/0002-b.txt": b"Two.\n",
                     f"{folder}-2_data.xz/0001-a.txt": b"Three.\n"}
    assert not faults


def test_a_damaged_member_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    inner = PACK[".xz"](tar({"x.txt": TEXT}))
    members = {"a.xz": inner[:len(inner) // 2], "b.xz": PACK[".xz"](tar({"y.txt": b"fine\n"}))}
    path = save(tmp_path / "o.tar", tar(members))
    found, faults = read_all(path)
    assert found["/b.xz/y.txt"] == b"fine\n"
    assert faults[0].startswith(f"{path}/a.xz") and all("/b.xz" not in fault for fault in faults)


@pytest.mark.parametrize(("cut", "message"), [
    (slice(0, 1000), "damaged from here on"),                    # within the first member
    (slice(0, 1024), "the tar is cut: its end is missing"),      # behind it
    (slice(0, 1300), "the tar is cut: its end is missing"),      # within the second header
])
def test_cut_tars(tmp_path: Path, cut: slice, message: str) -> None:
    data = tar({"a.txt": b"x" * 500 + b"\n", "b.txt": b"two\n"})
    _, faults = read_all(save(tmp_path / "a.tar", data[cut]))
    assert any(message in fault for fault in faults), faults


def test_a_damaged_header_within_a_tar(tmp_path: Path) -> None:
    data = bytearray(tar({"a.txt": b"one\n", "b.txt": b"two\n"}))
    data[1024 + 10] ^= 0xFF
    path = save(tmp_path / "a.tar", bytes(data))
    found, faults = read_all(path)
    assert found == {"/a.txt": b"one\n"}
    assert faults == [f"{path}: the tar is damaged: after its last readable member there is something else"]
    assert "damaged" in read_all(save(tmp_path / "b.tar", b"no tar at all"))[1][0]


def test_names_that_climb_are_only_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    names = ("../../out.txt", "/etc/out.txt")
    found, faults = read_all(save(tmp_path / "in/a.tar", tar(dict.fromkeys(names, b"harmless\n"))))
    assert list(found) == [f"/{name}" for name in names] and not faults
    assert [path.name for path in tmp_path.rglob("*.txt")] == []


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            header = tarfile.TarInfo(f"{kind.decode()}.txt")
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
    assert read_all(tmp_path / "a.tar") == ({}, [])


@pytest.mark.parametrize("ending", PACK)
def test_a_bomb_is_stopped(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE", 1 << 20)
    monkeypatch.setattr(archives, "MOST_TIMES", 20)
    path, faults = save(tmp_path / f"a.txt{ending}", PACK[ending](b"word\n" * (1 << 20))), Faults()
    count = sum(1 for _ in read_lines(path, faults))
    assert 0 < count < 1 << 19
    assert "unpacks to more than 20 times its size" in faults.first[0]


def test_a_line_without_an_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_A_DOCUMENT", 100)
    path, faults = save(tmp_path / "a.txt", b"one\n" + b"x" * 5000 + b"\n" + b"y" * 100 + b"\nfour\n"), Faults()
    assert [number for number, _ in read_lines(path, faults)] == [1, 4]
    assert faults.first == [f"{path}:{number}: the line has more than 100 bytes" for number in (2, 3)]


def test_tars_too_deep_in_one_another(tmp_path: Path) -> None:
    data = tar({"a.txt": b"deep\n"})
    for _ in range(3):
        data = tar({"more.tar": data})
    path = save(tmp_path / "a.tar", data)
    assert read_all(path) == ({}, [f"{path}/more.tar/more.tar/more.tar: a tar within 3 tars is not opened"])


def test_the_number_of_lines_is_estimated_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [save(tmp_path / "a.txt", TEXT), save(tmp_path / "b.txt.gz", PACK[".gz"](TEXT))]

    def read(packed: io.BufferedReader, path: Path) -> Iterator[tuple[int, str]]:
        return lines_of(content_of(packed, path), "", Faults())

    assert about(files, read) == 6000
    monkeypatch.setattr(archives, "_SAMPLE", 20 * len(TEXT))
    long = save(tmp_path / "long.txt", TEXT * 40)
    assert 0.7 < about([long] * 2, read) / 240_000 <= 1   # what the buffer holds beyond the sample is not counted
    with pytest.raises(UserError, match="does not exist"):
        about([tmp_path / "none"], read)
    with pytest.raises(UserError, match="is a folder; a file is wanted"):
        about([tmp_path], read)
