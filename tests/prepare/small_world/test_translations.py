"""The stamps' names in other languages."""

import json

from unimo_paddle.prepare.rewriting.human_translation import read_translations
from unimo_paddle.prepare.small_world.reviewed import REWORDED
from unimo_paddle.prepare.small_world.scene import Attribute, Cutout, World
from unimo_paddle.prepare.small_world.translations import read_lines, write_translations


def cutout(key, name, *words):
    return Cutout(key, name, tuple(Attribute(word, "colour") for word in words), (), "x", 9, 9)


def test_each_name_has_a_line(tmp_path):
    reworded = next(iter(REWORDED))
    lines = {"b/flower.png": "A flower.\nes.utf8=Una flor.\nca@valencia.utf8= Una   flor. \nfr.utf8=\nno mark\n",
             "c/flower.png": "A flower.\nes.utf8=Otra flor.\n",
             "a/anemone.png": "A red and white anemone.\ngl.utf8=X.\n",
             "d/bare.png": "A bare.\n", reworded: "A joke.\nes.utf8=Una broma.\n"}
    for key, text in lines.items():
        path = (tmp_path / "stamps" / key).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    world = World("stamps", (cutout("b/flower.png", "flower"), cutout("c/flower.png", "flower"),
                             cutout("a/anemone.png", "anemone", "red", "white"), cutout("d/bare.png", "bare"),
                             cutout(reworded, "joke")), ())
    write_translations(tmp_path / "out.jsonl", world, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert rows == [{"text": "flower", "translations": {"es": "Una flor.", "ca@valencia": "Una flor."}},
                    {"text": "red and white anemone", "translations": {"gl": "X."}}]
    assert read_translations(tmp_path / "out.jsonl") == {row["text"]: row["translations"] for row in rows}


def test_broken_bytes_cost_their_line_only(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"A dog.\nes.utf8=Un perro \xff\nca.utf8=Un gos.\n")
    assert read_lines(tmp_path / "x.txt") == {"ca": "Un gos."}
