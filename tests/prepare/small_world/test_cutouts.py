import cv2
import numpy as np
import pytest

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.small_world.cutouts import (
    essential_chunks,
    is_photograph,
    parse_text,
    read_picture,
    select_stamps,
)
from unimo_paddle.prepare.small_world.stamps import default_cache


def said(text):
    parsed = parse_text(text)
    return parsed and (parsed[0], " ".join(attribute.word for attribute in parsed[1]))


@pytest.mark.parametrize(("text", "name", "words"), [
    ("A frog.", "frog", ""),
    ("An hippopotamus.", "hippopotamus", ""),
    ("A brown hen.", "hen", "brown"),
    ("A guinea fowl.", "guinea fowl", ""),
    ("A baby sheep (a lamb).", "sheep", "baby"),
    ("A very poisonous lionfish!", "lionfish", "poisonous"),
    ("A very small pumpkin.", "pumpkin", ""),
    ("A “Granny Smith” apple.", "apple", "Granny Smith"),
    ("A red and white anemone flower.", "anemone flower", "red white"),
    ("An old Chinese sailing ship.", "sailing ship", "old Chinese"),
    ("A Christmas tree.", "Christmas tree", ""),
    ("A ginger 'root'.", "ginger root", ""),
    ("A plumber’s wrench.", "plumber's wrench", ""),
    ("A UK post box. Put your letter in here!", "UK post box", ""),
    ("A pair of pliers.", "pair of pliers", ""),
    ("A Seville orange, also called a bitter orange.", "orange", "Seville"),
])
def test_noun_phrases_give_name_and_attributes(text, name, words):
    assert said(text) == (name, words)


@pytest.mark.parametrize("text", [
    "", ".", "A", "A.", "a  ", "Boom!!!", "Two wild boars.", "Some flowers.", "Our moon.", "Eat your broccoli!",
    "A stethoscope lets your doctor listen to your heart and lungs.", "A very small.", "A red.", "“A", "\x00\ufffd",
    "A birch at winter.", "The Sun.", "a and", "A one two three four five six.",
])
def test_other_texts_give_nothing(text):
    assert parse_text(text) is None


def test_attributes_know_their_kind():
    assert [a.kind for a in parse_text("A red metal old Tamworth pig.")[1]] == ["colour", "material", "state", "breed"]


def write_png(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def photograph(height=60, width=80, seed=0):
    rng = np.random.default_rng(seed)
    return np.dstack([rng.integers(0, 256, (height, width, 3)), np.full((height, width), 255)]).astype(np.uint8)


def test_pictures_are_cropped_to_what_is_opaque(tmp_path):
    canvas = np.zeros((100, 120, 4), np.uint8)
    canvas[20:80, 30:110] = photograph()
    assert np.array_equal(read_picture(write_png(tmp_path / "a.png", canvas)), photograph())


def test_pictures_without_transparency_or_broken_are_no_cutouts(tmp_path):
    assert read_picture(write_png(tmp_path / "rgb.png", photograph()[..., :3].copy())) is None
    assert read_picture(write_png(tmp_path / "clear.png", photograph() * np.uint8([1, 1, 1, 0]))) is None
    for name, data in (("empty.png", b""), ("cut.png", b"\x89PNG\r\n"), ("text.png", b"A frog.")):
        (tmp_path / name).write_bytes(data)
        assert read_picture(tmp_path / name) is None


def test_side_information_is_dropped_and_the_picture_kept(tmp_path):
    plain = write_png(tmp_path / "a.png", photograph()).read_bytes()
    profile = len(b"junk").to_bytes(4, "big") + b"iCCPjunk" + b"crc!"
    assert essential_chunks(plain[:33] + profile + plain[33:]) == plain      # 33: the signature and the header chunk
    assert essential_chunks(b"GIF89a") == essential_chunks(b"") == b""


def test_drawings_wires_and_crumbs_are_no_photographs():
    assert is_photograph(photograph())
    flat, wire = photograph(), photograph()
    flat[..., :3] = 90
    wire[..., 3] = 255 * (np.arange(60)[:, None] % 12 == 0)
    for picture in (flat, wire, photograph(19, 80), photograph(44, 44), photograph(20, 101)):
        assert not is_photograph(picture)


def test_selection_reads_texts_and_leaves_out_the_unsuitable(tmp_path):
    for k in range(25):
        write_png(tmp_path / f"stamps/animals/birds/b{k:02d}.png", photograph(seed=k))
        text = f"A brown bird{chr(97 + k)}.\nde.utf8=Ein Vogel.\n"
        (tmp_path / f"stamps/animals/birds/b{k:02d}.txt").write_text(text)
    for name, text in (("animals/birds/cartoon/tux", "A penguin."), ("animals/birds/x_mirror", "A hen."),
                       ("food/pizza", "A pizza."), ("animals/birds/mute", "")):
        write_png(tmp_path / f"stamps/{name}.png", photograph())
        (tmp_path / f"stamps/{name}.txt").write_text(text)
    write_png(tmp_path / "stamps/animals/birds/textless.png", photograph())
    (tmp_path / "stamps/animals/birds/b24.txt").write_bytes(b"\xef\xbb\xbfA lark \xff.\n")
    write_png(tmp_path / "templates/rocks.jpg", photograph()[..., :3].copy())
    write_png(tmp_path / "templates/lighthouse.jpg", photograph()[..., :3].copy())
    world, pictures = select_stamps(tmp_path)
    assert len(world.cutouts) == 25 and [ground.key for ground in world.backgrounds] == ["rocks"]
    assert world.cutouts[0].name == "birda" and world.cutouts[0].kinds == ("bird", "animal")
    assert world.cutouts[24].name == "lark \ufffd"
    assert set(pictures) == {cutout.key for cutout in world.cutouts} | {"rocks"}


def test_too_few_stamps_is_an_error_that_says_how_many(tmp_path):
    with pytest.raises(UserError, match=r"holds 0 good stamps and 0 backgrounds"):
        select_stamps(tmp_path)


@pytest.mark.skipif(not (default_cache() / "tuxpaint/packages.txt").exists(), reason="the stamps were not fetched here")
def test_the_real_stamps_give_a_rich_world():
    world, pictures = select_stamps(default_cache() / "tuxpaint")
    assert len(world.cutouts) >= 250 and 180 <= len(world.names) <= 240 and len(world.backgrounds) == 15
    assert all(pictures[cutout.key].shape == (cutout.height, cutout.width, 4) for cutout in world.cutouts)
    assert all(cutout.name.replace(" ", "").replace("-", "").replace("'", "").isalnum() for cutout in world.cutouts)
