import numpy as np

from unimo_paddle.prepare.small_world.paint import SHADOW, paint, prepare_pictures
from unimo_paddle.prepare.small_world.scene import HEIGHT, WIDTH, Background, Cutout, Placed, Scene


def scene_of(*objects, paleness=0.4):
    return Scene(1, "train", 0, Background("ground", "rocks"), (0.5, 0.5, 1.0), False, paleness, objects)


def pictures(side=50):
    square = np.zeros((side, side, 4), np.uint8)
    square[..., :] = (0, 0, 200, 255)
    grey = np.full((300, 400, 3), 100, np.uint8)
    return prepare_pictures({"square": square, "ground": grey}, ["ground"])


def test_an_object_fills_its_box_exactly_and_the_ground_is_lightened():
    square = Cutout("square", "square", (), (), "g", 50, 50)
    canvas = paint(scene_of(Placed(square, (100, 120, 180, 200), False)), pictures())
    assert canvas.shape == (HEIGHT, WIDTH, 3) and canvas.dtype == np.uint8
    assert (canvas[120:200, 100:180] == (0, 0, 200)).all()
    assert (canvas[:80, :60] == round(100 * 0.6 + 255 * 0.4)).all()


def test_the_shadow_darkens_below_and_never_lightens():
    square = Cutout("square", "square", (), (), "g", 50, 50)
    bare = paint(scene_of(), pictures()).astype(int)
    shown = paint(scene_of(Placed(square, (100, 120, 180, 200), False)), pictures()).astype(int)
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[120:200, 100:180] = False
    change = (shown - bare)[outside]
    assert change.max() <= 0 and change.min() >= -round(SHADOW * 162)
    assert (shown - bare)[203, 140].max() < (shown - bare)[116, 140].max() <= 0


def test_the_lower_object_is_in_front_and_edges_do_not_bleed():
    images = pictures()
    images["ring"] = np.zeros((40, 40, 4), np.uint8)
    images["ring"][..., :3] = (255, 0, 0)                       # the invisible middle is blue
    images["ring"][:, :20] = (0, 255, 0, 255)
    near, far = (Cutout(key, key, (), (), "g", 40, 40) for key in ("square", "ring"))
    canvas = paint(scene_of(Placed(far, (100, 100, 180, 180), False), Placed(near, (100, 150, 180, 230), False),
                            paleness=0.0), images)
    assert (canvas[150:180, 100:180] == (0, 0, 200)).all()
    assert canvas[110:140, 100:180, 0].max() <= 100             # no blue above the ground's


def test_a_shadow_over_the_edge_of_the_picture_is_cut():
    square = Cutout("square", "square", (), (), "g", 50, 50)
    for box in ((0, 0, 50, 50), (WIDTH - 50, HEIGHT - 50, WIDTH, HEIGHT)):
        canvas = paint(scene_of(Placed(square, box, True)), pictures())
        assert (canvas[box[1]:box[3], box[0]:box[2]] == (0, 0, 200)).all()


def test_black_bars_of_a_background_are_trimmed():
    ground = np.full((300, 400, 3), 150, np.uint8)
    ground[:40] = 0
    assert prepare_pictures({"ground": ground}, ["ground"])["ground"].min() == 150
