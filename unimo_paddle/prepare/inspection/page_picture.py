"""The page's first section: the picture with the detector's boxes over it, and the captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unimo_paddle.markup import Markup, join, tag
from unimo_paddle.prepare.inspection.gather import Box, PairView
from unimo_paddle.prepare.inspection.pictures import embedded

_LONGEST = 1024   # pixels of the longer side


def picture(view: PairView) -> Markup:
    """Return picture and captions side by side."""
    words = [tag("p", view.pair.caption, class_="caption", dir="auto"), *_captions(view.captions)]
    return tag("div", _figure(view), tag("div", *words, *_box_table(view)), class_="facts")


def _figure(view: PairView) -> Markup:
    shown = embedded(view.image.path, _LONGEST) if view.image else None
    if view.image is None:
        return tag("p", f"Image {view.pair.image_id} is not among the corpus's images.", class_="absent")
    if shown is None:
        return tag("p", f"The picture cannot be read: {view.image.path}", class_="absent")
    image = tag("img", src=Markup(shown.uri), width=shown.width, height=shown.height,
                alt=f"The picture {view.pair.image_id}, captioned: {view.pair.caption}")
    size = f"{view.image.path.name}, {view.image.width} × {view.image.height} pixels"
    figure = tag("figure", tag("div", image, *_overlay(view), class_="frame"),
                 tag("figcaption", size, class_="quiet"))
    switch = tag("label", tag("input", type="checkbox", id="names"), "Show the names of all boxes", class_="switch")
    skip = tag("a", "Skip the boxes", href="#words", class_="skip")
    return tag("div", skip, figure, switch, tag("span", id="words")) if view.boxes else tag("div", figure)


def _overlay(view: PairView) -> Iterable[Markup]:
    """Yield the boxes as an SVG in the units of the region store's picture, scaled with the one on the page."""
    if view.boxes:
        width, height = view.box_frame
        yield tag("svg", *(_box(box, width, height) for box in view.boxes), viewbox=f"0 0 {width} {height}",
                  font_size=width / 40, role="group", aria_label=f"{len(view.boxes)} boxes over the picture")


def _box(box: Box, width: int, height: int) -> Markup:
    size = width / 40
    name = f"{box.name} {box.probability:.2f}"
    x, anchor = (box.x1, "start") if box.x1 < width / 2 else (box.x2, "end")
    y = box.y1 - size / 3 if box.y1 > 2.4 * size else min(box.y1 + 2 * size, height - size / 3)
    return tag("g", tag("title", name),
               tag("rect", x=box.x1, y=box.y1, width=box.x2 - box.x1, height=box.y2 - box.y1),
               tag("text", name, x=x, y=y, text_anchor=anchor), class_="box", tabindex="0", role="img", aria_label=name)


def _captions(others: Sequence[str]) -> Iterable[Markup]:
    if others:
        yield tag("h3", "Other captions of the image")
        yield tag("ul", *(tag("li", other, dir="auto") for other in others), class_="texts")


def _box_table(view: PairView) -> Iterable[Markup]:
    yield tag("h3", "Boxes")
    if view.boxes is None:
        yield tag("p", view.absent["boxes"], class_="absent")
        return
    counts: dict[str, list[float]] = {}
    for box in sorted(view.boxes, key=lambda box: -box.probability):
        counts.setdefault(box.name, []).append(box.probability)
    told = [join(tag("bdi", name), f" ×{len(each)}" if len(each) > 1 else "", f" {each[0]:.2f}")
            for name, each in counts.items()]
    yield tag("ul", *(tag("li", each) for each in told), class_="names")
