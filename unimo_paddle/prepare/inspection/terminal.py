"""Everything about one pair as lines of a terminal, with colours or without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from unimo_paddle.plain_text import visible
from unimo_paddle.prepare.inspection.difference import Piece, difference, new_words
from unimo_paddle.prepare.inspection.gather import NearText, PairView
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph

SHOWN, LETTERS = 10, 240   # entries of a list, letters of a neighbour's text; the page has them all
_CODES = {"title": "1", "quiet": "2", "removed": "9;31", "added": "1;4;32", "thing": "36", "attribute": "33",
          "relation": "35"}
_SIGNS = {"removed": ("[-", "-]"), "added": ("{+", "+}")}   # as wdiff marks words where there are no colours


@dataclass(frozen=True)
class Paint:
    """Puts a style on a text: ANSI codes with colours, signs or nothing without."""

    colour: bool

    def __call__(self, style: str, text: str) -> str:
        """Return the text, made harmless, in a style: title, quiet, removed, added, thing, attribute, relation."""
        begin, end = _SIGNS.get(style, ("", ""))
        return f"\x1b[{_CODES[style]}m{visible(text)}\x1b[0m" if self.colour else f"{begin}{visible(text)}{end}"


def lines(view: PairView, paint: Paint) -> Iterator[str]:
    """Yield the lines, one an entry: a terminal breaks long ones itself, and `grep` finds them whole."""
    where = f"  row {view.row:,} of {view.split} in {view.corpus}"
    yield paint("title", f"pair {view.pair.id}") + paint("quiet", where)
    yield visible(view.pair.caption)
    yield paint("quiet", _image(view))
    yield from (f"  also: {visible(other)}" for other in view.captions)
    for title, collection, found, shown in _sections(view, paint):
        yield ""
        yield paint("title", title if found is None else f"{title} ({len(found):,})")
        entries = [paint("quiet", view.absent[collection])] if found is None else shown
        yield from (f"  {entry}" for entry in entries)


def _sections(view: PairView, paint: Paint) -> Iterator[tuple[str, str, Sequence[object] | None, Iterable[str]]]:
    """Yield title, collection, what was found (None: nothing is there) and the entries to show."""
    yield "boxes", "boxes", view.boxes, _first([f"{visible(b.name)} {b.probability:.2f}" for b in view.boxes or ()])
    things = view.graph.things if view.graph else None
    yield "scene graph: things", "graphs", things, _graph(view.graph, paint) if view.graph else ()
    yield "positives", "rewrites", view.positives, [
        f"{visible(p.text)}  {paint('quiet', f'{p.origin} {_score(p.score)}')}" for p in view.positives or ()]
    yield "hard negatives", "rewrites", view.negatives, _negatives(view, paint)
    yield "similar captions", "similar", view.similar, _near(view.similar, paint)
    yield "retrieved images", "retrieved_images", view.retrieved_images, _first(
        [f"{_score(n.score)} {visible(n.key)}  {paint('quiet', str(n.image.path) if n.image else 'not in this corpus')}"
         for n in view.retrieved_images or ()])
    yield "retrieved sentences", "retrieved_texts", view.retrieved_texts, _near(view.retrieved_texts, paint)


def _image(view: PairView) -> str:
    if view.image is None:
        return f"image {view.pair.image_id}, which is not among the corpus's images"
    missing = "" if view.image.path.is_file() else ", MISSING"
    return f"image {view.pair.image_id}: {view.image.path}, {view.image.width} x {view.image.height}{missing}"


def _graph(graph: SceneGraph, paint: Paint) -> Iterator[str]:
    for i, thing in enumerate(graph.things):
        like = [paint("attribute", each.name) for each in graph.attributes if each.thing == i]
        yield f"{paint('thing', thing.name)} ({', '.join([thing.number, *like])})"
    for relation in graph.relations:
        subject, other = (paint("thing", graph.things[i].name) for i in (relation.subject, relation.object))
        yield f"{subject} --{paint('relation', relation.name)}--> {other}"


def _negatives(view: PairView, paint: Paint) -> Iterator[str]:
    for level in dict.fromkeys(each.level for each in view.negatives or ()):
        mine = [each for each in view.negatives or () if each.level == level]
        yield paint("title", f"{level} level ({len(mine):,})")
        compare = new_words if level == "sentence" else difference
        yield from _first([f"{_pieces(compare(view.pair.caption, each.text), paint)}  {paint('quiet', each.change)}"
                           for each in mine])


def _pieces(pieces: Sequence[Piece], paint: Paint) -> str:
    return "".join(visible(p.text) if p.kind == "same" else paint(p.kind, p.text) for p in pieces)


def _first(entries: Sequence[str]) -> Iterator[str]:
    yield from entries[:SHOWN]
    if len(entries) > SHOWN:
        yield f"... and {len(entries) - SHOWN:,} more"


def _near(found: Sequence[NearText] | None, paint: Paint) -> Iterator[str]:
    return _first([f"{_score(each.score)} {_shortened(visible(each.text))}  {paint('quiet', each.key)}"
                   for each in found or ()])


def _shortened(text: str) -> str:
    return text if len(text) <= LETTERS else text[:LETTERS] + "…"


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
