"""Scene graphs written by hand: places are found by their words."""

from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, SceneGraph, Span, Thing


def span(caption: str, words: str, nth: int = 0) -> Span:
    """Return the nth place of some words."""
    start = -1
    for _ in range(nth + 1):
        start = caption.index(words, start + 1)
    return Span(start, start + len(words))


def graph(caption: str, things: list[tuple[str, ...]], relations: list[tuple[int, str, str, int]] = (),  # type: ignore[assignment]
          again: tuple[int, ...] = ()) -> SceneGraph:
    """Return a graph. things: (noun, name, number, adjectives...); relations: (subject, words, name, object).

    again: things whose noun stands a second time in the caption.
    """
    nodes, attributes = [], []
    for index, (noun, name, number, *adjectives) in enumerate(things):
        place = span(caption, noun)
        spans = [span(caption, adjective) for adjective in adjectives]
        attributes += [Attribute(each, adjective.lower(), index)
                       for each, adjective in zip(spans, adjectives, strict=True)]
        phrase = Span(min([place.start, *(each.start for each in spans if each.start < place.start)]), place.end)
        more = (span(caption, noun, 1),) if index in again else ()
        nodes.append(Thing(place, name, number, phrase, more))  # type: ignore[arg-type]
    return SceneGraph(tuple(nodes), tuple(attributes), tuple(
        Relation((span(caption, words),), name, subject, other) for subject, words, name, other in relations))
