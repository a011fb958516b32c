"""The page of tools/predict.py --explain: one file, no other one is needed; keys alone are enough."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from unimo_paddle.build.explained_style import SCRIPT, STYLE
from unimo_paddle.build.explained_view import Box, Shares, View, levels, parts
from unimo_paddle.markup import Markup, tag

MOST_COLUMNS = 16   # of a table, the most looked at; the others are summed up
LONGEST_TITLE = 200 # characters; of more, the first and the last ones
OPACITY = 0.6       # of the region that is looked at most


def page(title: str, meaning: str, views: Sequence[View], left_out: int) -> str:
    """Return the page. meaning: of the numbers beside answers; left_out: inputs that are not shown."""
    sections = [_section(number, view, meaning) for number, view in enumerate(views)]
    links = [tag("li", tag("a", _heading(number, view), href=f"#input{number}")) for number, view in enumerate(views)]
    more = [tag("p", f"{left_out:,} more inputs are not shown.", class_="quiet")] if left_out else []
    header = tag("header", tag("h1", title), *more, tag("nav", tag("ul", *links), aria_label="Inputs"))
    data = [{"regions": view.regions.round(5).tolist(), "words": view.words.round(5).tolist()} for view in views]
    body = tag("body", header, tag("main", *sections),
               tag("script", Markup(json.dumps(data, separators=(",", ":"))), type="application/json", id="data"),
               tag("script", Markup(SCRIPT)))  # fmt: skip
    return "<!DOCTYPE html>\n" + tag("html", _head(title), body, lang="en")


def _head(title: str) -> Markup:
    style, script = (base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (STYLE, SCRIPT))
    policy = (f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
              "base-uri 'none'; form-action 'none'")  # fmt: skip
    return tag("head", tag("meta", charset="utf-8"),
               tag("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"), tag("title", title),
               tag("link", rel="icon", href="data:,"), tag("style", Markup(STYLE)))  # fmt: skip


def _heading(number: int, view: View) -> str:
    title = view.question or view.image or ""
    shown = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE // 2]} … {title[-LONGEST_TITLE // 2 :]}"
    return f"{number + 1}. {shown}"


def _section(number: int, view: View, meaning: str) -> Markup:
    image = [tag("p", view.image, class_="quiet")] if view.image and view.question else []
    seen = [_figure(number, view)] if view.boxes else []
    told = tag("div", tag("h3", "Answers"), tag("div", _answers(view, meaning), class_="scroll"), *_words(number, view))
    facts = tag("div", *seen, told, class_="facts" if seen else "facts alone")
    heading = tag("h2", _heading(number, view), id=f"input{number}-title", dir="auto")
    return tag("section", heading, *image, facts, *_table(number, view), id=f"input{number}", data_input=str(number),
               aria_labelledby=f"input{number}-title")  # fmt: skip


def _answers(view: View, meaning: str) -> Markup:
    head = tag("tr", tag("th", "Answer", scope="col"), tag("th", meaning.capitalize(), scope="col", colspan="2"))
    return tag("table", tag("thead", head), tag("tbody", *(_answer(*one) for one in view.answers)), class_="answers")


def _answer(name: str, number: float, bar: float) -> Markup:
    drawn = tag("svg", tag("rect", width=100 * bar, height=10), viewbox="0 0 100 10", preserveAspectRatio="none",
                class_="bar", aria_hidden="true")  # fmt: skip
    return tag("tr", tag("td", name, dir="auto"), tag("td", drawn, class_="bars"),
               tag("td", f"{number:.4f}", class_="number"))  # fmt: skip


def _figure(number: int, view: View) -> Markup:
    width, height = view.frame
    opacity = OPACITY * parts(view.regions[view.chosen, 1:])
    boxes = [_box(box, share) for box, share in zip(view.boxes, opacity.tolist(), strict=True)]
    names = [_name(box, width, height) for box in view.boxes]
    overlay = tag("svg", *boxes, *names, viewbox=f"0 0 {width} {height}", font_size=width / 34, role="img",
                  aria_label=f"{len(boxes)} regions, shaded by attention; the table below has the numbers")  # fmt: skip
    picture, about = list[Markup](), tag("figcaption", "Only the regions are at hand, not the picture.", class_="quiet")
    if view.picture:
        shown = view.picture
        picture = [tag("img", src=Markup(shown.uri), width=shown.width, height=shown.height, alt=f"{view.image}")]
        about = tag("figcaption", "The region that the chosen word looks at most is the brightest.", class_="quiet")
    switch = tag("label", tag("input", type="checkbox", class_="names", id=f"names{number}"), "Show all names",
                class_="switch")  # fmt: skip
    frame = tag("div", *picture, overlay, class_="frame" if picture else "frame bare")
    return tag("figure", frame, about, switch)


def _box(box: Box, opacity: float) -> Markup:
    return tag("rect", tag("title", box.name), x=box.x1, y=box.y1, width=max(0, box.x2 - box.x1),
               height=max(0, box.y2 - box.y1), fill_opacity=round(opacity, 3), class_="box")  # fmt: skip


def _name(box: Box, width: int, height: int) -> Markup:
    """Draw a region's name on its upper edge; all names come after all boxes, which would else hide them."""
    size = width / 34
    x, anchor = (box.x1, "start") if box.x1 < width / 2 else (box.x2, "end")
    y = box.y1 - size / 3 if box.y1 > 1.4 * size else min(box.y1 + 1.2 * size, height - size / 3)
    return tag("text", box.name, x=x, y=y, text_anchor=anchor, class_="name", aria_hidden="true")


def _words(number: int, view: View) -> Iterator[Markup]:
    """Yield one switch a word: which one looks; all are shaded by how much it looks at them."""
    shades = levels(view.words[view.chosen])
    chips = [_chip(number, view, word, int(shades[word])) for word in range(len(view.names))]
    for title, is_written in (("Words that are read", False), ("Words that are written", True)):
        some = [chip for chip, written in zip(chips, view.is_written, strict=True) if written == is_written]
        if some:
            yield tag("fieldset", tag("legend", title), *some)
    if view.left_out:
        yield tag("p", f"{view.left_out:,} more words are not shown.", class_="quiet")
    yield tag("p", _looked(view, view.chosen), class_="sum", aria_live="polite")


def _chip(number: int, view: View, word: int, level: int) -> Markup:
    key = f"input{number}-word{word}"
    switch = tag("input", type="radio", name=f"input{number}-word", id=key, value=str(word),
                 checked=word == view.chosen, disabled=not view.looks(word))  # fmt: skip
    label = tag("label", view.names[word], for_=key, data_level=str(level), dir="auto")
    return tag("span", switch, label, class_="chip")


def _looked(view: View, word: int) -> str:
    """Return the line that SCRIPT writes for the other words."""
    shares = [("regions", view.regions[word, 1:].sum()), ("the whole image", view.regions[word, :1].sum())]
    shares = [*(shares if view.boxes else []), ("words", view.words[word].sum())]
    return f"{view.names[word]} looks at " + ", ".join(f"{name}: {100 * share:.0f} %" for name, share in shares)


def _table(number: int, view: View) -> Iterator[Markup]:
    """Yield the heat map: words by regions, or without an image words by words."""
    shares, names = (view.regions, ["whole image", *(box.name for box in view.boxes)]) if view.boxes else (
        view.words, list(view.names))  # fmt: skip
    always = 1 if view.boxes else 0
    order = np.argsort(-shares[:, always:].sum(axis=0), kind="stable")[:MOST_COLUMNS] + always
    columns = [*range(always), *sorted(order.tolist())]
    others = (1 - shares[:, columns].sum(axis=1)).clip(0)
    head = tag("tr", tag("th", "Word", scope="col"), *(tag("th", names[column], scope="col") for column in columns),
               tag("th", "all else", scope="col"))  # fmt: skip
    rows = [word for word in range(len(view.names)) if view.looks(word)]
    shades = levels(shares[np.ix_(rows, columns)])
    told = [_row(view, word, shares[word, columns], shades[place], others[word]) for place, word in enumerate(rows)]
    what = f"Attention in per cent, a row a word; columns: {'regions' if view.boxes else 'words'} looked at most"
    table = tag("table", tag("thead", head), tag("tbody", *told), class_="heat", aria_label=what)
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region",
                 aria_label=f"Attention of input {number + 1}")  # fmt: skip
    yield tag("details", tag("summary", "Which word looks where"), tag("p", what, class_="quiet"), scroll,
              open=number == 0)  # fmt: skip


def _row(view: View, word: int, shares: Shares, shades: NDArray[np.int64], others: float) -> Markup:
    cells = [tag("td", f"{100 * share:.0f}", data_level=str(int(level)))
             for share, level in zip(shares, shades, strict=True)]  # fmt: skip
    return tag("tr", tag("th", view.names[word], scope="row", dir="auto"), *cells, tag("td", f"{100 * others:.0f}"),
               data_word=str(word), class_="chosen" if word == view.chosen else "")  # fmt: skip
