"""Pictures by their pixels: where something is drawn, and where nothing is."""

import numpy as np
from PIL import Image, ImageColor

from unimo_paddle.data.encode import ImageRow
from unimo_paddle.probes import drawing
from unimo_paddle.probes.hidden import HiddenClasses

CLASSES = ("__background__", "dog", "cat")


def row_of(boxes, width=200, height=100):
    corners = np.array([[0, 0, width, height], *boxes], np.float32)
    empty = np.zeros((len(corners), 1), np.float32)
    return ImageRow(empty, empty, empty, corners)


def red(folder, size=(200, 100)):
    path = folder / "red.png"
    Image.new("RGB", size, (200, 40, 40)).save(path)
    return path


def test_a_picture_is_scaled_and_its_boxes_with_it(tmp_path):
    canvas = drawing.open_canvas(red(tmp_path), row_of([[20, 10, 60, 50]]))
    assert canvas.image.size == (480, 240) and canvas.image.getpixel((240, 120)) == (200, 40, 40)
    assert canvas.box(np.array([20, 10, 60, 50], np.float32)) == (48, 24, 143, 119)


def test_without_a_picture_the_canvas_is_white_and_of_its_shape(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    for name in ("absent.png", "broken.png", "."):
        canvas = drawing.open_canvas(tmp_path / name, row_of([], 50, 100))
        assert canvas.image.size == (240, 480) and canvas.image.getpixel((120, 240)) == (255, 255, 255)


def test_hidden_regions_are_veiled_and_told_in_two_colours(tmp_path):
    row = row_of([[20, 10, 60, 50], [120, 10, 180, 90]])
    hidden = HiddenClasses(np.array([1, 2]), np.array([1, 2]), np.array([1, 1]))
    canvas = drawing.open_canvas(red(tmp_path), row)
    sheet = np.asarray(drawing.draw_hidden(canvas, row, hidden, CLASSES)).astype(int)
    assert sheet.shape[1] == 480 and sheet.shape[0] > 240 + 2 * drawing.LINE
    veiled = sheet[60:110, 60:130]  # inside the first region: gray, little red
    assert np.abs(veiled[..., 0] - veiled[..., 1]).max() < 60
    assert (sheet[200:230, 10:100] == (200, 40, 40)).all()  # outside all regions
    for colour, top in ((drawing.RIGHT, 240), (drawing.WRONG, 240 + drawing.LINE)):
        line = sheet[top : top + drawing.LINE + drawing.MARGIN]
        assert (line == ImageColor.getrgb(colour)).all(axis=2).any()
    assert (np.asarray(canvas.image) == (200, 40, 40)).all()  # drawn on a copy


def test_an_attention_table_is_dark_where_the_weight_is(tmp_path):
    row = row_of([[20, 10, 60, 50], [120, 10, 180, 90]])
    weights = np.array([[0.0, 0.4, 0.0], [0.0, 0.0, 0.2]], np.float32)
    canvas = drawing.open_canvas(red(tmp_path), row)
    sheet = np.asarray(drawing.draw_attention(canvas, row, ["a", "dog"], weights, ["[IMG]", "dog", "cat"]))
    left, (width, height) = 480 + drawing.MARGIN + drawing.LABEL, drawing.CELL
    cells = [[sheet[y * height + 5, left + x * width + 5].tolist() for x in range(3)] for y in range(2)]
    dark, half, none = ([*drawing._shade(share)] for share in (1, 0.5, 0))
    assert cells == [[none, dark, none], [none, none, half]]
    assert dark[0] < half[0] < none[0]


def test_only_the_regions_that_get_most_are_columns(tmp_path):
    boxes = [[n, 0, n + 5, 20] for n in range(30)]
    weights = np.zeros((40, 31), np.float32)
    weights[:, 30] = 0.5
    canvas = drawing.open_canvas(tmp_path / "none", row_of(boxes))
    labels = ["[IMG]", *["thing"] * 30]
    sheet = drawing.draw_attention(canvas, row_of(boxes), ["word"] * 40, weights, labels)
    table = drawing.LABEL + drawing.CELL[0] * drawing.SHOWN_REGIONS + drawing.MARGIN
    assert sheet.size[0] == 480 + drawing.MARGIN + table
    assert sheet.size[1] < drawing.CELL[1] * 40
    last = np.asarray(sheet)[5, sheet.size[0] - drawing.MARGIN - 10]
    assert last.tolist() == [*drawing._shade(1)]


def test_a_caption_without_words_is_a_table_without_rows(tmp_path):
    row = row_of([[20, 10, 60, 50]])
    canvas = drawing.open_canvas(red(tmp_path), row)
    assert drawing.draw_attention(canvas, row, [], np.zeros((0, 2), np.float32), ["[IMG]", "dog"]).size[1] >= 200


def test_cells_stand_in_rows():
    cells = [Image.new("RGB", size, "black") for size in ((40, 30), (20, 50), (10, 10))]
    sheet = drawing.arrange(cells)
    margin = drawing.MARGIN
    assert sheet.dtype == np.uint8 and sheet.shape == (50 + 10 + 3 * margin, 40 + 20 + 3 * margin, 3)
    assert not sheet[margin + 29, margin + 39].any() and sheet[margin + 31, margin + 39].all()
    assert not sheet[margin + 50 + margin + 9, margin + 9].any()
