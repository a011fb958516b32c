"""The page: one file, no script, everything escaped; what it holds, section by section."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.prepare.whole_corpus import CAPTIONS, HOSTILE
from unimo_paddle.corpus import Corpus
from unimo_paddle.markup import Markup, join, tag
from unimo_paddle.prepare.inspection.gather import gather
from unimo_paddle.prepare.inspection.page import page
from unimo_paddle.prepare.inspection.pictures import embedded
from unimo_paddle.regions import RegionStore

VOID = {"meta", "link", "img", "input"}


class Checked(HTMLParser):
    """Parses a page; keeps elements with their attributes and the text of each section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open, self.elements, self.texts, self.section = [], [], {"": ""}, ""
        self.feed(html)
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)
        if name == "section":
            self.section = dict(attributes)["id"]
            self.texts[self.section] = ""

    def handle_endtag(self, name):
        assert self.open.pop() == name
        self.section = "" if name == "section" else self.section

    def handle_data(self, data):
        self.texts[self.section] += data

    def all(self, name, **wanted):
        return [a for n, a in self.elements if n == name and all(a.get(k.rstrip("_")) == v for k, v in wanted.items())]


@pytest.fixture(scope="module")
def html(whole: Path, store: Path) -> str:
    return page(gather(Corpus(whole), "i0:0", RegionStore(store)))


@pytest.fixture(scope="module")
def dom(html: str) -> Checked:
    return Checked(html)


def test_sections_hold_what_was_gathered(dom: Checked) -> None:
    assert list(dom.texts)[1:] == ["caption", "graph", "positives", "negatives", "similar", "images", "sentences"]
    assert CAPTIONS[0] in dom.texts["caption"] and CAPTIONS[1] in dom.texts["caption"]
    assert "sit on" in dom.texts["graph"]
    assert "0.970" in dom.texts["positives"] and "apertium:spa" in dom.texts["positives"]
    for level in ("Sentence", "Phrase", "Word"):
        assert f"{level} level (100)" in dom.texts["negatives"]
    assert dom.texts["negatives"].count("88 more") == 3
    assert "object: dog -> cat" in dom.texts["negatives"] and "0.800" in dom.texts["similar"]
    assert "0.900 single0" in dom.texts["images"] and "not among this corpus's images" in dom.texts["images"]
    assert "Sentence number 14 of the text corpus." in dom.texts["sentences"]


def test_changes_are_elements_not_only_colours(dom: Checked) -> None:
    assert len(dom.all("del")) == 200 and len(dom.all("ins")) >= 300   # no words of ours among the sentence level


def test_the_page_names_no_outside_and_runs_no_script(html: str, dom: Checked) -> None:
    assert not dom.all("script") and not dom.all("iframe") and not dom.all("form")
    assert not [a for _, a in dom.elements for key in a if key.startswith("on") or key == "style"]
    for _, attributes in dom.elements:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:"))
    assert "url(" not in html.replace("url(#head)", "") and "@import" not in html


def test_the_policy_allows_this_style_and_nothing_else(html: str, dom: Checked) -> None:
    style = re.search("<style>(.*?)</style>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = dom.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy["content"] == (f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
                                 f"form-action 'none'")


def test_headings_links_and_alternatives(dom: Checked) -> None:
    ids = [a["id"] for _, a in dom.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert all(a["href"][1:] in ids for a in dom.all("a"))
    assert len(dom.all("h1")) == 1 and len(dom.all("h2")) == 7
    assert all(a.get("alt") for a in dom.all("img"))
    assert all(a.get("scope") == "col" for a in dom.all("th"))
    assert [a["aria-label"] for a in dom.all("g", role="img")] == ["sofa 0.85", "dog 0.85", "window, pane 0.85"]


def test_hostile_texts_stay_texts(whole: Path) -> None:
    html = page(gather(Corpus(whole), "i1:1", None))
    dom = Checked(html)
    assert "<script" not in html and "onerror=alert" in dom.texts["caption"]
    assert HOSTILE[:40] in dom.texts["caption"] and "\\u202e" in html
    assert not set(html) & {"\x1b", "\u202e"}


def test_absent_collections_are_told_with_their_command(bare: Path) -> None:
    dom = Checked(page(gather(Corpus(bare), "i0:0", None)))
    for section, command in (("graph", "rewrite"), ("positives", "rewrite"), ("negatives", "rewrite"),
                             ("similar", "rewrite"), ("images", "retrieve"), ("sentences", "retrieve")):
        assert f"tools/prepare.py {command} --corpus {bare}" in dom.texts[section], section
    assert "--regions STORE" in dom.texts["caption"]


def test_the_same_view_gives_the_same_page(html: str, whole: Path, store: Path) -> None:
    assert page(gather(Corpus(whole), "i0:0", RegionStore(store))) == html


def test_lost_and_broken_pictures_are_told(whole: Path, tmp_path: Path) -> None:
    view = gather(Corpus(whole), "i0:0", None)
    broken = tmp_path / "i0.jpg"
    broken.write_bytes(b"no picture")
    object.__setattr__(view.image, "path", broken)
    assert f"The picture cannot be read: {broken}" in Checked(page(view)).texts["caption"]
    object.__setattr__(view, "image", None)
    assert "Image i0 is not among the corpus's images" in Checked(page(view)).texts["caption"]


def test_pictures_are_scaled_never_enlarged(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    cv2.imwrite(str(path), np.full((30, 600, 3), (10, 20, 200), np.uint8))
    wide = embedded(path, 200)
    assert wide and (wide.width, wide.height) == (200, 10)
    data = base64.b64decode(wide.uri.removeprefix("data:image/jpeg;base64,"))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (10, 200, 3) and np.abs(pixels.astype(int) - (10, 20, 200)).max() < 8
    same = embedded(path, 1000)
    assert same and (same.width, same.height) == (600, 30)
    assert embedded(tmp_path / "none.png", 10) is None
    (tmp_path / "empty.png").touch()
    assert embedded(tmp_path / "empty.png", 10) is None


def test_markup_escapes_all_but_markup() -> None:
    assert tag("p", "<b>&\"'", tag("b", "x"), class_="a\"b", tabindex=0, hidden=False, open=True) == (
        '<p class="a&quot;b" tabindex="0" open>&lt;b&gt;&amp;&quot;&#x27;<b>x</b></p>')
    assert join("<", Markup("<")) == "&lt;<"
    assert tag("img", src="a") == '<img src="a">' and tag("path", d="M0") == '<path d="M0"></path>'
