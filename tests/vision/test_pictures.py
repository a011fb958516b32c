"""Images of every mode, size and kind of damage."""

import os
import socket
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest.intake import image_size
from unimo_paddle.vision.pictures import (
    Picture,
    Unreadable,
    open_upright,
    read_ahead,
    read_picture,
    readable,
    same_shape_batches,
    scaled_size,
)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **more: object) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **more)
    return path


def test_exif_rotation(tmp_path: Path) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:, :8] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    image = open_upright(save(tmp_path / "a.png", pixels, exif=exif))
    assert image.size == (16, 24)
    upright = np.asarray(image)
    assert upright[:7].min() == 255 and upright[9:].max() == 0  # the left is the top now


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_pillows(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    path = save(tmp_path / "a.png", pixels, exif=exif)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(open_upright(path)), np.asarray(ImageOps.exif_transpose(image)))


def test_other_faults_of_exif_do_no_harm(tmp_path: Path) -> None:
    """The image's width is a fraction here, over which ImageOps.exif_transpose stumbles."""
    entries = struct.pack("<HHIfHHIHH", 0x0100, 11, 1, 1.5, 0x0112, 3, 1, 6, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + bytes(4)
    path = save(tmp_path / "a.jpg", np.zeros((16, 24, 3), np.uint8), exif=exif)
    with pytest.raises(struct.error), Image.open(path) as image:
        ImageOps.exif_transpose(image)
    assert open_upright(path).size == (16, 24) == image_size(path)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "YCbCr"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode in ("CMYK", "YCbCr") else "png"
    image = open_upright(save(tmp_path / f"a.{suffix}", np.full((9, 7, 3), 255, np.uint8), mode))
    assert image.mode == "RGB" and np.asarray(image).min() >= 250


def test_alpha_lies_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255  # black above, clear below
    found = np.asarray(open_upright(save(tmp_path / "a.png", pixels)))
    assert found[:2].max() == 0 and found[2:].min() == 255


def test_sixteen_bits_are_brought_to_eight(tmp_path: Path) -> None:
    found = np.asarray(open_upright(save(tmp_path / "a.png", np.uint16([[0, 65535], [257 * 7, 0]]))))
    assert found[:, :, 0].tolist() == [[0, 255], [7, 0]]


@pytest.mark.parametrize(("name", "data"), [
    ("empty.jpg", b""), ("text.png", b"no image at all"), ("cut.png", None),
])  # fmt: skip
def test_damage_is_named(tmp_path: Path, name: str, data: bytes | None) -> None:
    path = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    (tmp_path / name).write_bytes(path.read_bytes()[:2000] if data is None else data)
    with pytest.raises(UserError, match=f"{name} is no readable image"):
        open_upright(tmp_path / name)
    with pytest.raises(UserError, match="gone.png does not exist"):
        open_upright(tmp_path / "gone.png")


@pytest.mark.parametrize(("size", "wanted"), [
    ((256, 384), (256, 384)), ((3000, 6000), (192, 384)), ((32, 32), (256, 256)), ((1, 5000), (1, 384)),
])  # fmt: skip
def test_scaled_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert scaled_size(*size, 256, 384) == wanted


def test_scaled_and_padded(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((100, 150, 3), 9, np.uint8))
    picture = read_picture("x", path, 50, 96)
    assert (picture.id, picture.scaled, picture.width, picture.height) == ("x", (50, 75), 150, 100)
    assert picture.pixels.shape == (64, 96, 3)
    assert (picture.pixels[:50, :75] == 9).all() and (picture.pixels[50:] == 127).all()
    assert (picture.pixels[:, 75:] == 127).all()


def test_read_ahead_keeps_the_order_and_explains(tmp_path: Path) -> None:
    images = [(str(i), save(tmp_path / f"{i}.png", np.full((32, 32, 3), i, np.uint8))) for i in range(9)]
    images[4] = ("4", tmp_path / "none.png")
    found = list(read_ahead(images, 32, 32, ahead=3))
    assert [item.id for item in found] == [str(i) for i in range(9)]
    unreadable: list[Unreadable] = []
    pictures = list(readable(found, unreadable))
    assert [p.id for p in pictures] == [str(i) for i in range(9) if i != 4]
    assert unreadable == [Unreadable("4", tmp_path / "none.png", f"{tmp_path}/none.png does not exist")]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "a.jpg"
    with socket.socket(socket.AF_UNIX) as server:
        {
            "pipe": lambda: os.mkfifo(place), "folder": place.mkdir,
            "device": lambda: place.symlink_to("/dev/zero"),
            "socket": lambda: server.bind(str(place)),
        }[kind]()  # fmt: skip
        (found,) = read_ahead([("a", place)], 64, 96)
    assert isinstance(found, Unreadable) and found.reason == f"{place} is not a regular file"
    (tmp_path / "b.png").symlink_to(save(tmp_path / "real.png", np.zeros((4, 4, 3), np.uint8)))
    assert open_upright(tmp_path / "b.png").size == (4, 4)


def test_batches_have_one_shape() -> None:
    def picture(name: str, height: int) -> Picture:
        return Picture(name, np.zeros((height, 32, 3), np.uint8), (height, 32), 32, height)

    pictures = [picture(str(i), 32 if i % 3 else 64) for i in range(10)]
    batches = list(same_shape_batches(pictures, 4, window=6))
    assert sorted(p.id for batch in batches for p in batch) == [str(i) for i in range(10)]
    assert all(len({p.pixels.shape for p in batch}) == 1 and len(batch) <= 4 for batch in batches)
    assert [len(batch) for batch in same_shape_batches(pictures[:1] * 8, 4)] == [4, 4]


def test_adobes_inverted_cmyk(tmp_path: Path) -> None:
    """Adobe writes 255 for no ink and says so in an APP14 marker; Pillow writes the same."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = (255, 0, 0)
    path = save(tmp_path / "a.jpg", pixels, "CMYK", quality=95, subsampling=0)
    assert b"Adobe" in path.read_bytes()[:200]
    assert Image.open(path).mode == "CMYK"
    found = np.asarray(open_upright(path)).astype(int)
    assert np.abs(found[4, 3] - (255, 0, 0)).max() < 8 and found[4, 12].max() < 8


def test_deep_grey_keeps_its_tones(tmp_path: Path) -> None:
    """16 bits in TIFF as in PNG, also where the picture is so dark that no value exceeds 255; floats from 0 to 1."""
    dark = np.uint16([[0, 255]])
    assert np.asarray(open_upright(save(tmp_path / "a.tif", dark)))[0, :, 0].tolist() == [0, 0]
    floats = np.float32([[0, 0.5, 1]])
    assert np.asarray(open_upright(save(tmp_path / "b.tif", floats)))[0, :, 0].tolist() == [0, 127, 255]
    bytes_as_floats = np.float32([[0, 128, 255]])
    assert np.asarray(open_upright(save(tmp_path / "c.tif", bytes_as_floats)))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_every_kind_of_alpha_lies_on_white(tmp_path: Path, mode: str) -> None:
    clear = Image.fromarray(np.zeros((4, 4, 4), np.uint8), "RGBA")
    clear.convert(mode).save(tmp_path / "a.tif")
    assert np.asarray(open_upright(tmp_path / "a.tif")).min() == 255


def test_a_clear_palette_colour_lies_on_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.uint8([[0, 1]]), "P")
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.save(tmp_path / "a.png", transparency=0)
    assert np.asarray(open_upright(tmp_path / "a.png")).tolist() == [[[255, 255, 255], [0, 0, 200]]]


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_an_animation_is_its_first_picture(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("#c00000", "#00c000", "#0000c0")]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    red, green, blue = open_upright(tmp_path / f"a.{ending}").getpixel((16, 12))
    assert abs(red - 0xC0) < 8 and max(green, blue) < 8


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "bmp", "gif"])
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_cut_files_of_every_format_are_named(tmp_path: Path, ending: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    path = save(tmp_path / f"a.{ending}", noise)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(UserError, match=f"a.{ending} is no readable image: ."):
        read_picture("a", path, 32, 48)


def test_a_large_jpeg_is_scaled_while_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way differs little from decoding it whole, and the size that is told is the original's."""
    x, y = np.meshgrid(np.linspace(0, 6, 2000), np.linspace(0, 4, 1200))
    waves = np.stack([np.sin(x * 3), np.cos(y * 4), np.sin(x + y)], axis=2) * 120 + 128
    exif = Image.Exif()
    exif[0x0112] = 8
    path = save(tmp_path / "a.jpg", waves.astype(np.uint8), exif=exif, quality=92)
    quick = read_picture("a", path, 256, 384)
    assert (quick.width, quick.height, quick.scaled) == (1200, 2000, (384, 230))
    monkeypatch.setattr(Image.Image, "draft", lambda *_: None)
    monkeypatch.setattr(JpegImageFile, "draft", lambda *_: None)
    whole = read_picture("a", path, 256, 384)
    away = np.abs(quick.pixels.astype(int) - whole.pixels.astype(int))
    assert quick.scaled == whole.scaled and away.mean() < 1.5 and away.max() < 24


@pytest.mark.parametrize(("size", "shape"), [((3, 700), (32, 96, 3)), ((64, 96), (64, 96, 3)), ((70, 80), (64, 73, 3))])
def test_pictures_that_need_no_multiple_have_a_least_side(tmp_path: Path, size: tuple, shape: tuple) -> None:
    path = save(tmp_path / "a.png", np.zeros((*size, 3), np.uint8))
    assert read_picture("a", path, 64, 96, multiple=1).pixels.shape == shape
