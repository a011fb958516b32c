"""The page of tools/predict.py --explain: attention that sums to 1, whose words and regions it is, and how it looks."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests import small_run
from tests.browser import Page, browser, needs_chromium
from tests.data import small_task
from tests.prepare.inspection.test_page_in_chromium import CONTRAST
from tests.small_run import SmallRun, StubExtractor, make_picture
from unimo_paddle.build import attending, explained_page, explaining, predicting
from unimo_paddle.build.asked import Asked
from unimo_paddle.build.explained_view import Box, View
from unimo_paddle.model.attention_map import last_attention
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.records import Record

HOSTILE = "</script><script>alert(1)</script> & \u202eevil"


def loaded(run: SmallRun, *records: Record) -> predicting.Loaded:
    asked = [Asked(record, f"line {n}") for n, record in enumerate(records)]
    return predicting.load(run.run, run.folder, asked, None)


def looks(run: SmallRun, record: Record) -> attending.Looks:
    with_model = loaded(run, record)
    return attending.looks_of(with_model, predicting.answers(with_model)[0])


@pytest.mark.parametrize("task", ["vqa", "mnli", "coco_caption", "coqa", "gigaword", "flickr30k"])
def test_what_a_word_looks_at_sums_to_one(task: str, tmp_path: Path) -> None:
    fields = {"image": "image3", "text": "a dog", "text_b": "a pond", "tags": "dog cat", "turns": ("who?", "I", "why?")}
    reads = small_run.TASKS[task].reads
    run = small_run.make(tmp_path, task)
    short = replace(run, run=replace(run.run, decoding=replace(run.run.decoding, most=7, least=0)))
    found = looks(short, Record("1", **{name: text for name, text in fields.items() if name in reads}))
    sums = found.regions.sum(axis=1) + found.words.sum(axis=1)
    starts = [name == "[CLS]" and written for name, written in zip(found.names, found.is_written, strict=True)]
    np.testing.assert_allclose(sums, [0 if start else 1 for start in starts], atol=1e-5)
    assert sum(starts) == (1 if "target" in reads else 0)
    assert found.regions.shape[1] == (6 if "image" in reads else 0)
    assert found.regions.shape[0] == found.words.shape[0] == found.words.shape[1] == len(found.names)


def test_words_are_whole_and_named(tmp_path: Path) -> None:
    found = looks(small_run.make(tmp_path, "mnli"), Record("1", text="dog 17 naps", text_b="pondering dogs"))
    assert found.names == ("[CLS]", "dog", "17", "naps", "[SEP]", "pondering", "dogs", "[SEP]")


def test_the_attention_of_words_is_that_of_their_tokens(tmp_path: Path) -> None:
    """By hand from the map of tokens: a row's mean over the word that looks, a column's sum over the word seen."""
    run, record = small_run.make(tmp_path, "sst2"), Record("1", text="dogs pondering naps")
    with_model = loaded(run, record)
    found = attending.looks_of(with_model, predicting.answers(with_model)[0])
    row = with_model.sources.encoder.text(record, "x")
    sequences = explaining_inputs(row)
    tokens = last_attention(with_model.model.encoder, to_tensors(sequences)).numpy()[0]
    starts = [*np.flatnonzero(row.word_start), len(row.ids)]
    assert len(row.ids) > len(starts) - 1
    for i, (a, b) in enumerate(pairwise(starts)):
        for j, (c, d) in enumerate(pairwise(starts)):
            assert found.words[i, j] == pytest.approx(tokens[a:b, c:d].sum() / (b - a), abs=1e-6)


def explaining_inputs(row):
    from unimo_paddle.data.batch import pad
    from unimo_paddle.data.patterns import bidirectional

    return pad([], [row], [bidirectional(0, len(row.ids))])


def test_a_written_word_looks_at_nothing_that_comes_after_it(tmp_path: Path) -> None:
    run = small_run.make(tmp_path, "coco_caption")
    with_model = loaded(run, Record("1", image="image3"))
    answer = predicting.answers(with_model)[0]
    said = replace(answer.said, answer="dog is near a pond")
    found = attending.looks_of(with_model, replace(answer, said=said))
    assert found.names == ("[CLS]", "dog", "is", "near", "a", "pond", "[SEP]")
    after = np.triu(np.ones((7, 7)), 0).astype(bool)   # not even the word itself: it is being chosen
    assert np.abs(found.words[1:][after[1:]]).max() < 1e-12
    assert found.words[1, 0] > 0 and found.words[2, 1] > 0


def view(**changes: object) -> View:
    shown = View(question=HOSTILE, image="a & <b>.png", picture=None, frame=(200, 100),
                 boxes=(Box("<b>dog</b> 0.90", 0, 0, 50, 60), Box("cat 0.10", 40, 10, 190, 90)),
                 names=("[CLS]", "</td>", "dog"), is_written=(False, False, False), left_out=0,
                 regions=np.array([[0.1, 0.2, 0.3], [0.2, 0.4, 0.1], [0, 0, 0.8]]),
                 words=np.array([[0.2, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.05, 0.05]]),
                 answers=(("<i>yes</i>", 0.75, 0.75), ("no", 0.25, 0.25)))  # fmt: skip
    return replace(shown, **changes)


def test_everything_foreign_is_escaped() -> None:
    page = explained_page.page(f"<h1>{HOSTILE}", "share & part", [view()], 3)
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert not re.search(r"<b>|<i>|<td></td>|alert\(1\)</script>|\u202e", page)
    assert "&lt;/script&gt;" in page and "\\u202e" in page and "&lt;i&gt;yes&lt;/i&gt;" in page
    assert "3 more inputs are not shown" in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page) and "http" not in re.sub(r"http-equiv", "", page)


def test_numbers_of_the_page() -> None:
    page = explained_page.page("title", "shares", [view()], 0)
    data = json.loads(re.search(r'id="data">(.*?)</script>', page)[1])
    assert data[0]["regions"][2] == [0, 0, 0.8] and data[0]["words"][0] == [0.2, 0.1, 0.1]
    opacity = [float(value) for value in re.findall(r'fill-opacity="([\d.]+)"', page)]
    assert opacity == pytest.approx([0.6 * 0.2 / 0.3, 0.6])
    rows = re.findall(r"<tr data-word.*?</tr>", page)
    cells = [[int(value) for value in re.findall(r"<td[^>]*>(\d+)</td>", row)] for row in rows]
    assert cells == [[10, 20, 30, 40], [20, 40, 10, 30], [0, 0, 80, 20]]
    levels = [[int(value) for value in re.findall(r'data-level="(\d)"', row)] for row in rows]
    assert levels == [[1, 2, 3], [2, 4, 1], [0, 0, 9]]   # of 0.8, the largest of the table, nine parts
    assert "[CLS] looks at regions: 50 %, the whole image: 10 %, words: 40 %" in page
    assert 'width="75"' in page and 'width="25"' in page


def test_long_texts_and_many_inputs_are_cut(tmp_path: Path) -> None:
    run = small_run.make(tmp_path, "sst2")
    many = loaded(run, *(Record(str(n), text=small_task.sentence(n)) for n in range(23)))
    explaining.explain(many, predicting.answers(many), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<section") == explaining.MOST_INPUTS == 20 and "3 more inputs" in page
    names, written = tuple(map(str, range(120))), (False,) * 100 + (True,) * 20
    some = attending.Looks(names, written, np.zeros((120, 0)), np.zeros((120, 120)))
    assert explaining._shown_words(some) == [*range(60), *range(100, 120)]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """seen.html, of a picture and of an image of the store; text.html, of words alone; written.html, a caption."""
    root = tmp_path_factory.mktemp("pages")
    patch = pytest.MonkeyPatch()
    patch.setattr("unimo_paddle.vision.detector.load_detector", lambda path: path)
    patch.setattr("unimo_paddle.vision.extractor.Extractor", StubExtractor)
    picture = make_picture(root / "p & q.png")
    text = f"dog {HOSTILE}"
    asked = {
        "seen": ("vqa", [Asked(Record("1", image=picture.name, text=text), "x", picture),
                         Asked(Record("2", image="image3", text="what?"), "x")]),
        "text": ("mnli", [Asked(Record("1", text=text, text_b="a pond " * 12), "x")]),
        "written": ("coco_caption", [Asked(Record("1", image="image3", tags="dog"), "x")]),
    }  # fmt: skip
    for name, (task, inputs) in asked.items():
        (root / name).mkdir()
        run = small_run.make(root / name, task)
        with_model = predicting.load(run.run, run.folder, inputs, None)
        explaining.explain(with_model, predicting.answers(with_model), root / f"{name}.html")
    patch.undo()
    return root


@needs_chromium
@pytest.mark.parametrize("name", ["seen", "text", "written"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (360, "light")])
def test_it_opens_without_complaint(chromium: Page, pages: Path, name: str, width: int, scheme: str) -> None:
    chromium.open(pages / f"{name}.html", width, 900, scheme)
    chromium.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert chromium.problems == []
    assert [url for url in chromium.requests if not url.startswith("data:")] == [(pages / f"{name}.html").as_uri()]
    assert chromium.run("document.documentElement.scrollWidth") == width
    assert chromium.run("[...document.images].filter(each => !each.naturalWidth).length") == 0
    assert chromium.run(CONTRAST) == []


@needs_chromium
def test_choosing_a_word_shades_the_regions(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "seen.html")
    data = chromium.run("data[0]")
    for word in (2, 0):
        chromium.run(f"document.querySelector('#input0 .chip input[value=\"{word}\"]').click()")
        shares = np.array(data["regions"][word][1:])
        boxes = "[...document.querySelectorAll('#input0 .box')]"
        opacity = chromium.run(f"{boxes}.map(e => +e.getAttribute('fill-opacity'))")
        assert opacity == pytest.approx((0.6 * shares / shares.max()).tolist(), abs=1e-3)
        assert chromium.run("document.querySelector('#input0 tr.chosen').dataset.word") == str(word)
    told = chromium.run("document.querySelector('#input0 .sum').textContent")
    chromium.open(pages / "seen.html")   # what the page says from the start is what the script says
    assert chromium.run("document.querySelector('#input0 .sum').textContent") == told
    assert told in (pages / "seen.html").read_text()


@needs_chromium
def test_keys_alone_are_enough(chromium: Page, pages: Path) -> None:
    chromium.open(pages / "seen.html")
    met = []
    for _ in range(12):
        chromium.press("Tab")
        met.append(chromium.run("(document.activeElement.type || document.activeElement.tagName).toLowerCase()"))
    assert {"a", "radio", "checkbox", "summary"} <= set(met)
    outline = "getComputedStyle(document.querySelector('.chip input:focus-visible + label')).outlineStyle"
    chromium.run("document.querySelector('.chip input:checked').focus()")
    assert chromium.run(outline) == "solid"
