"""The page as Chromium shows it: no complaint, no overflow, readable in light and dark, usable with keys alone."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.browser import Page, browser, needs_chromium
from unimo_paddle.prepare.inspection.run import inspect

pytestmark = needs_chromium
PHONE, DESK = 360, 1200
CONTRAST = """(() => {
  const parse = s => s.match(/[\\d.]+/g).map(Number);
  const over = (a, b) => a.length > 3 ? a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3])) : a;
  const behind = e => { let c = e ? behind(e.parentElement) : [255, 255, 255];
    return e ? over(parse(getComputedStyle(e).backgroundColor), c) : c; };
  const light = c => c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const found = [];
  for (const e of document.querySelectorAll('h1,h2,h3,p,td,th,li,a,del,ins,summary,span,figcaption,label')) {
    const [a, b] = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) found.push(e.tagName + '.' + e.className + ' ' + ratio.toFixed(2));
  }
  return [...new Set(found)]; })()"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def pages(whole: Path, bare: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """full.html, hostile.html and bare.html in a folder."""
    folder = tmp_path_factory.mktemp("pages")
    inspect(whole, "i0:0", store, folder / "full.html")
    inspect(whole, "i1:1", None, folder / "hostile.html")
    inspect(bare, "i2:0", None, folder / "bare.html")
    return folder


@pytest.mark.parametrize("name", ["full", "hostile", "bare"])
@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")])
def test_it_opens_without_complaint_or_overflow(chromium: Page, pages: Path, tmp_path: Path, name: str, width: int,
                                                scheme: str) -> None:
    chromium.open(pages / f"{name}.html", width, 900, scheme)
    chromium.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert chromium.problems == []
    assert {url.split(":")[0] for url in chromium.requests} <= {"file", "data"}
    assert [url for url in chromium.requests if url.startswith("file")] == [(pages / f"{name}.html").as_uri()]
    assert chromium.run("document.documentElement.scrollWidth") == width
    assert chromium.run("[...document.images].filter(each => !each.naturalWidth).length") == 0
    assert chromium.run("document.title") == {"full": "Pair i0:0", "hostile": "Pair i1:1", "bare": "Pair i2:0"}[name]
    assert chromium.run(CONTRAST) == []
    pixels = cv2.imread(str(chromium.screenshot(tmp_path / "shot.png", whole=False)))
    assert pixels.shape == (900, width, 3) and pixels.std() > 20
    assert (np.median(pixels) < 60) == (scheme == "dark")


def test_all_that_was_prepared_is_in_the_page(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "full.html")
    counts = {"#negatives li": 300, "#negatives del": 200, "#similar tbody tr": 8, "#images li": 21, "#images img": 20,
              "#sentences tbody tr": 25, "#positives tbody tr": 3, ".graph .node-thing": 2, ".box": 3, "script": 0}
    assert {query: chromium.run(f"document.querySelectorAll('{query}').length") for query in counts} == counts
    assert chromium.run("getComputedStyle(document.querySelector('del')).textDecorationLine") == "line-through"
    assert chromium.run("getComputedStyle(document.querySelector('ins')).textDecorationLine") == "underline"
    assert chromium.run("document.querySelectorAll('#negatives ol')[1].start") == 13
    sizes = "[...new Set([...document.querySelectorAll('td')].map(each => getComputedStyle(each).fontSize))]"
    assert chromium.run(sizes) == ["15.2px"]   # no cell takes a class that is meant for something else


def test_arabic_runs_from_the_right(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "bare.html")
    assert chromium.run("getComputedStyle(document.querySelector('.caption')).direction") == "rtl"


def test_boxes_lie_over_what_they_show_and_tell_their_names(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "full.html")
    picture, box = (chromium.run(f"(r => [r.x, r.y, r.width, r.height])(document.querySelectorAll('{query}')"
                                 f"[{place}].getBoundingClientRect())")
                    for query, place in ((".frame img", 0), (".box rect", 1)))  # fmt: skip
    scale = picture[2] / 320
    wanted = [picture[0] + 40 * scale, picture[1] + 60 * scale, 110 * scale, 130 * scale]
    assert np.abs(np.subtract(box, wanted)).max() < 2
    opacity = "getComputedStyle(document.querySelectorAll('.box text')[1]).opacity"
    assert chromium.run(opacity) == "0"
    chromium.hover(box[0] + 5, box[1] + 5)
    assert chromium.run(opacity) == "1"
    chromium.hover(1, 1)
    assert chromium.run(opacity) == "0"
    chromium.run("document.getElementById('names').click()")
    assert chromium.run(opacity) == "1"


def test_keys_alone_reach_everything(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "full.html")
    reached = []
    for _ in range(20):
        chromium.press("Tab")
        name = "(e => e.getAttribute('aria-label') || e.id || e.textContent)(document.activeElement)"
        reached.append(chromium.run(name))
    assert reached[:9] == ["Skip to the caption", "Picture and caption", "Scene graph", "Positives (3)",
                           "Hard negatives (300)", "Similar captions (8)", "Retrieved images (21)",
                           "Retrieved sentences (25)", "Skip the boxes"]
    assert reached[9:18] == ["sofa 0.85", "dog 0.85", "window, pane 0.85", "names", "Drawing", "88 more", "88 more",
                             "88 more", "9 more"]
    chromium.run("document.querySelector('details summary').focus()")
    chromium.press("Enter")
    assert chromium.run("document.querySelector('details').open") is True
