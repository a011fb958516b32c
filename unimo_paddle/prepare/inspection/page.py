"""Everything about one pair as one page of HTML that needs no other file and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from unimo_paddle.corpus import Negative
from unimo_paddle.markup import Markup, join, tag
from unimo_paddle.prepare.inspection.difference import Piece, difference, new_words
from unimo_paddle.prepare.inspection.gather import NearImage, NearText, PairView, Positive
from unimo_paddle.prepare.inspection.graph_drawing import drawing, marked_caption
from unimo_paddle.prepare.inspection.page_picture import picture
from unimo_paddle.prepare.inspection.pictures import embedded
from unimo_paddle.prepare.inspection.style import STYLE
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph

Item = TypeVar("Item")
LEVELS = {   # of negatives, in the order in which they are shown
    "sentence": "captions of other images; marked: words that ours lacks",
    "phrase": "one phrase exchanged",
    "word": "one word exchanged",
}
_OPEN = 12        # entries of a long list that show at once; the others unfold
_THUMBNAIL = 200  # pixels of the longer side
_ELEMENTS = {"same": "span", "removed": "del", "added": "ins"}


def page(view: PairView) -> str:
    """Return the page. It is the same for the same view and the same image files."""
    sections = [
        ("caption", "Picture and caption", None, picture(view)),
        ("graph", "Scene graph", None, _graph(view)),
        ("positives", "Positives", _count(view.positives), _or_absent(view, "rewrites", view.positives, _positives)),
        ("negatives", "Hard negatives", _count(view.negatives),
         _or_absent(view, "rewrites", view.negatives, lambda found: _negatives(view.pair.caption, found))),
        ("similar", "Similar captions", _count(view.similar), _or_absent(view, "similar", view.similar, _texts)),
        ("images", "Retrieved images", _count(view.retrieved_images),
         _or_absent(view, "retrieved_images", view.retrieved_images, _thumbnails)),
        ("sentences", "Retrieved sentences", _count(view.retrieved_texts),
         _or_absent(view, "retrieved_texts", view.retrieved_texts, _texts)),
    ]
    links = [tag("li", tag("a", f"{title}{_shown(count)}", href=f"#{key}")) for key, title, count, _ in sections]
    main = [tag("section", tag("h2", f"{title}{_shown(count)}", id=f"{key}-title"), body, id=key,
                aria_labelledby=f"{key}-title") for key, title, count, body in sections]
    body = tag("body", tag("a", "Skip to the caption", href="#caption", class_="skip"), _header(view, links),
               tag("main", *main), tag("footer", tag("p", "Made by tools/prepare.py inspect.", class_="quiet")))
    return "<!DOCTYPE html>\n" + tag("html", _head(view), body, lang="en")


def _head(view: PairView) -> Markup:
    style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'"
    return tag("head", tag("meta", charset="utf-8"),
               tag("meta", http_equiv="Content-Security-Policy", content=Markup(policy)),
               tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("meta", name="referrer", content="no-referrer"),
               tag("title", f"Pair {view.pair.id}"), tag("link", rel="icon", href="data:,"),
               tag("style", Markup(STYLE)))


def _header(view: PairView, links: Iterable[Markup]) -> Markup:
    where = f"Row {view.row:,} of split {view.split} in {view.corpus}; image {view.pair.image_id}"
    return tag("header", tag("h1", "Pair ", tag("bdi", view.pair.id)), tag("p", where, class_="quiet"),
               tag("nav", tag("ul", *links), aria_label="Sections"))


def _graph(view: PairView) -> Markup:
    if view.graph is None:
        return _absent(view, "graphs")
    if not view.graph.things:
        return tag("p", "The caption names no thing.", class_="absent")
    scene = tag("div", drawing(view.graph), class_="scroll", tabindex="0", role="region", aria_label="Drawing")
    caption = tag("p", marked_caption(view.pair.caption, view.graph), class_="caption", dir="auto")
    legend = [part for kind in ("thing", "attribute", "relation") for part in (tag("span", kind, class_=kind), " ")]
    return join(caption, tag("p", *legend, class_="quiet"), scene, *_graph_tables(view.graph, view.pair.caption))


def _graph_tables(graph: SceneGraph, caption: str) -> Iterable[Markup]:
    things = [(thing.name, thing.number, ", ".join(a.name for a in graph.attributes if a.thing == i) or "–",
               thing.phrase.of(caption)) for i, thing in enumerate(graph.things)]
    yield tag("h3", "Things")
    yield tag("div", _table(("Thing", "Number", "Attributes", "In the caption"), things), class_="scroll")
    yield tag("h3", "Relations")
    names = [thing.name for thing in graph.things]
    relations = [(names[r.subject], r.name, names[r.object]) for r in graph.relations]
    yield (tag("div", _table(("Subject", "Relation", "Object"), relations), class_="scroll") if relations
           else tag("p", "The caption tells of no relation.", class_="absent"))


def _positives(found: Sequence[Positive]) -> Markup:
    rows = [(_score(each.score), each.text, each.origin or "not recorded") for each in found]
    return _table(("Score", "Sentence", "Origin"), rows)


def _negatives(caption: str, found: Sequence[Negative]) -> Markup:
    levels = dict.fromkeys([*LEVELS, *(each.level for each in found)])
    return join(*(part for level in levels
                  for part in _level(caption, level, [each for each in found if each.level == level])))


def _level(caption: str, level: str, found: Sequence[Negative]) -> Iterable[Markup]:
    yield tag("h3", f"{level.capitalize()} level ({len(found):,})")
    if not found:
        yield tag("p", f"No negatives of the {level} level.", class_="absent")
        return
    yield tag("p", LEVELS.get(level, "a level that this version does not know"), class_="quiet")
    compare = new_words if level == "sentence" else difference
    items = [tag("li", tag("span", *map(_piece, compare(caption, each.text)), dir="auto"),
                 tag("span", each.change, class_="change")) for each in found]
    yield _unfolding(items, lambda part, start: tag("ol", *part, class_="texts", start=start + 1))


def _piece(piece: Piece) -> Markup:
    return join(piece.text) if piece.kind == "same" else tag(_ELEMENTS[piece.kind], piece.text)


def _texts(found: Sequence[NearText]) -> Markup:
    rows = [(_score(each.score), join(each.text, tag("span", each.key, class_="change"))) for each in found]
    return _unfolding(rows, lambda part, _: _table(("Score", "Sentence"), part))


def _thumbnails(found: Sequence[NearImage]) -> Markup:
    items = [tag("li", tag("figure", _thumbnail(each), tag("figcaption", _score(each.score), " ", each.key)))
             for each in found]
    return _unfolding(items, lambda part, _: tag("ul", *part, class_="thumbs"))


def _thumbnail(near: NearImage) -> Markup:
    shown = embedded(near.image.path, _THUMBNAIL) if near.image else None
    if shown is None:
        why = f"its file is missing: {near.image.path}" if near.image else "not among this corpus's images"
        return tag("span", why, class_="none")
    return tag("img", src=Markup(shown.uri), alt=f"image {near.key}", width=shown.width, height=shown.height)


def _unfolding(items: Sequence[Item], make: Callable[[Sequence[Item], int], Markup]) -> Markup:
    """Return a list of which only the beginning shows at once, where it is long; `start` counts from 0."""
    if len(items) <= _OPEN + 3:
        return make(items, 0)
    rest = tag("details", tag("summary", f"{len(items) - _OPEN:,} more"), make(items[_OPEN:], _OPEN))
    return join(make(items[:_OPEN], 0), rest)


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    kinds = [name.lower() if name in ("Score", "Origin") else "text" for name in names]
    head = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(names, kinds, strict=True)))
    body = [tag("tr", *(tag("td", value, dir="auto", class_=kind) for value, kind in zip(row, kinds, strict=True)))
            for row in rows]
    return tag("table", tag("thead", head), tag("tbody", *body))


def _or_absent(view: PairView, collection: str, found: Sequence[object] | None,
               show: Callable[..., Markup]) -> Markup:
    if found is None:
        return _absent(view, collection)
    return show(found) if found else tag("p", "None was found for this pair.", class_="absent")


def _absent(view: PairView, collection: str) -> Markup:
    return tag("p", view.absent[collection], class_="absent")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _count(found: Sequence[object] | None) -> int | None:
    return None if found is None else len(found)


def _shown(count: int | None) -> str:
    return "" if count is None else f" ({count:,})"
