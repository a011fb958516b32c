"""Which words of a parsed caption name a thing, and what they say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from unimo_paddle.prepare.rewriting.caption_words import (
    COLOURS,
    COMPOUNDS,
    CONTAINERS,
    FRAMES,
    GROUNDS,
    NO_ATTRIBUTES,
    NO_THINGS,
    PARTS,
    QUANTITIES,
    SHADES,
)
from unimo_paddle.prepare.rewriting.english import number_of
from unimo_paddle.prepare.rewriting.lemmas import PLURAL_ONLY, singular
from unimo_paddle.prepare.rewriting.parse_tree import Node, Tree, children, coordinated, has_article, has_child
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Number, Span, Thing

_DEFINITE = ("the", "this", "that", "these", "those")
_NOUN_PLACES = frozenset({"nsubj", "nsubjpass", "dobj", "pobj", "attr", "conj", "ROOT", "appos", "oprd", "dative"})
_NEVER_THINGS = frozenset({"compound", "nmod", "amod", "det", "prep", "advmod", "intj", "meta"})   # by their ties
_SEVERAL = frozenset({"several", "many", "few", "multiple", "various", "both", "these", "those"})
_EMPTY = NO_THINGS | PARTS | GROUNDS
_SHOWING = frozenset({"of", "with", "showing", "shows", "depicting"})
_SHOWN_BY = frozenset({"in", "shows", "show", "showing", "has", "take", "taking", "depicts", "of", "taken"})


@dataclass
class Nouns:
    """Things and attributes of a caption.

    of: for each node that names things their indices; a frame ("picture") names what it shows, or nothing.
    """

    things: list[Thing] = field(default_factory=list)
    attributes: list[Attribute] = field(default_factory=list)
    of: dict[int, tuple[int, ...]] = field(default_factory=dict)


def find_nouns(tree: Tree) -> Nouns:
    """Return the things that a caption names, each once however often it is named, and their attributes."""
    nouns = Nouns()
    inside = {inner.index: outer for outer in tree for inner in _contents(tree, outer)}
    for node in tree:
        if node.index not in inside and _names_thing(tree, node):
            _add(tree, nouns, node, [inner for inner in tree if inside.get(inner.index) is node])
    for node in tree:
        if node.index not in nouns.of and node.text in FRAMES | QUANTITIES:
            nouns.of[node.index] = _within(tree, nouns, node)
    return nouns


def _contents(tree: Tree, node: Node) -> list[Node]:
    """Return the noun that a container holds in the same phrase: "coffee" of "cup of coffee"."""
    if not (node.is_noun and singular(node.text) in CONTAINERS):
        return []
    return [noun for noun in _after_of(tree, node) if noun.is_noun and not has_child(tree, noun, "det", "poss")]


def _after_of(tree: Tree, node: Node) -> list[Node]:
    """Return the noun after "of" right behind the node."""
    return [noun for prep in children(tree, node, "prep") if prep.text == "of" and prep.index == node.index + 1
            for noun in children(tree, prep, "pobj")]


def _within(tree: Tree, nouns: Nouns, node: Node) -> tuple[int, ...]:
    """Return the things of which a frame or a quantity speaks: "a picture of a dog and a cat"."""
    return tuple(thing for noun in _after_of(tree, node) for each in coordinated(tree, noun)
                 for thing in nouns.of.get(each.index, ()))


def _names_thing(tree: Tree, node: Node) -> bool:
    """Tell whether a node is the head of a noun phrase that names a thing."""
    if node.relation or node.dep in _NEVER_THINGS or not any(sign.isalpha() for sign in node.text):
        return False
    if not node.is_noun and not (node.dep in _NOUN_PLACES and has_article(tree, node)):
        return False
    if node.dep == "npadvmod" and not has_article(tree, node):
        return False
    if node.text in _EMPTY and _compound_start(tree, node) is node:   # a "side" is no thing, a "store front" is
        return False
    return not _is_frame(tree, node) and not (node.text in QUANTITIES and _after_of(tree, node))


def _is_frame(tree: Tree, node: Node) -> bool:
    """Tell whether a word like "picture" only frames the caption; a picture that hangs on a wall is a thing."""
    if node.text not in FRAMES:
        return False
    return tree[node.head].text in _SHOWN_BY or any(tree[child].text in _SHOWING for child in node.children)


def _add(tree: Tree, nouns: Nouns, node: Node, inner: list[Node]) -> None:
    """Note a thing, or a further mention of one that was named before."""
    adjectives = [each for noun in (node, *inner) for each in _adjectives(tree, noun)]
    thing = _thing(tree, node, inner, adjectives)
    said = [attribute(tree, each) for each in adjectives]
    known = _named_before(tree, nouns, node, thing, {each.name for each in said})
    if known is None:
        known = len(nouns.things)
        nouns.things.append(thing)
    else:
        before = nouns.things[known]
        nouns.things[known] = replace(before, again=(*before.again, thing.span))
    nouns.of.update({noun.index: (known,) for noun in (node, *inner)})
    nouns.attributes += [replace(each, thing=known) for each in said]


def _thing(tree: Tree, node: Node, inner: list[Node], adjectives: list[Node]) -> Thing:
    """Return the thing of a noun, with its compound and with what it contains."""
    start = _compound_start(tree, node)
    name = singular(_said(tree, start, node))
    if inner:
        name += " of " + _said(tree, _compound_start(tree, inner[-1]), inner[-1])
    first = min([start.index, *((_shade(tree, each) or each).index for each in adjectives)])
    span = Span(start.start, inner[-1].end if inner else node.end)
    return Thing(span, name, _number(tree, node, name), Span(_unbroken(tree, first, start).start, span.end))


def _said(tree: Tree, first: Node, last: Node) -> str:
    return " ".join(each.text for each in tree[first.index:last.index + 1])


def _compound_start(tree: Tree, node: Node) -> Node:
    """Return the first word of the compound that ends in the node: "fire" of "red fire hydrant"."""
    first = node
    while first.index and _belongs(tree[first.index - 1], first, node):
        first = tree[first.index - 1]
    return first


def _belongs(before: Node, first: Node, last: Node) -> bool:
    """Tell whether a word in front belongs to the compound from `first` to `last`."""
    if f"{before.text} {singular(first.text)}" in COMPOUNDS:
        return True
    plain = before.dep in ("compound", "nmod") and before.text not in COLOURS and before.text[0].isalpha()
    return plain and first.index <= before.head <= last.index


def _unbroken(tree: Tree, first: int, noun: Node) -> Node:
    """Return the first word of a noun's phrase: behind any determiner or number between `first` and the noun."""
    for node in reversed(tree[first:noun.index]):
        if node.dep in ("det", "nummod", "poss", "predet") or node.text in NO_ATTRIBUTES:
            return tree[node.index + 1]
    return tree[first]


def _number(tree: Tree, node: Node, name: str) -> Number:
    """Return how the noun stands: by what is counted before it, by lists of mass and plural nouns, or as tagged."""
    if has_article(tree, node, ("a", "an")):
        return "singular"
    counted = any(child.text in _SEVERAL or (child.dep == "nummod" and child.text not in ("one", "1"))
                  for child in children(tree, node, "nummod", "amod", "det"))
    if counted or node.text in PLURAL_ONLY or node.tag in ("NNS", "NNPS") or number_of(name) == "plural":
        return "plural"
    return "mass" if number_of(name) == "mass" else "singular"


def _adjectives(tree: Tree, noun: Node) -> list[Node]:
    """Return the adjectives in front of a noun that say what it is like, also those joined by "and"."""
    start = _compound_start(tree, noun)
    return [each for part in tree[start.index:noun.index + 1] for child in _modifiers(tree, part)
            if child.index < start.index for each in coordinated(tree, child) if is_attribute(each)]


def _modifiers(tree: Tree, noun: Node) -> Iterator[Node]:
    """Yield the adjectives, and the colours that were taken for nouns ("an orange cat")."""
    return (child for child in children(tree, noun, "amod", "compound", "nmod")
            if child.dep == "amod" or child.text in COLOURS)


def is_attribute(node: Node) -> bool:
    """Tell whether a word says what a thing is like; "other" and "several" do not."""
    return node.text not in NO_ATTRIBUTES and node.text[0].isalpha() and node.tag != "CD"


def attribute(tree: Tree, node: Node, thing: int = 0) -> Attribute:
    """Return the attribute that an adjective says, with a shade in front: "dark brown"."""
    shade = _shade(tree, node)
    if shade is None:
        return Attribute(Span(node.start, node.end), node.text, thing)
    return Attribute(Span(shade.start, node.end), f"{shade.text} {node.text}", thing)


def _shade(tree: Tree, node: Node) -> Node | None:
    before = tree[node.index - 1] if node.index else None
    return before if before and node.text in COLOURS and before.text in SHADES else None


def _named_before(tree: Tree, nouns: Nouns, node: Node, thing: Thing, said: set[str]) -> int | None:
    """Return the thing that "the duck" names again, or None: the nearest of the same name, else of the same last word.

    said: the attributes of the new mention, which the thing must have.
    """
    owners = list(children(tree, node, "poss"))   # the article of "the plumber's wrench" is the plumber's
    if not any(has_article(tree, each, _DEFINITE) for each in (node, *owners)):
        return None
    for equal in (_same_name, _same_head):
        for index in reversed(range(len(nouns.things))):
            words = {each.name for each in nouns.attributes if each.thing == index}
            if equal(nouns.things[index], thing) and said <= words:
                return index
    return None


def _same_name(first: Thing, second: Thing) -> bool:
    return first.name == second.name and first.number == second.number


def _same_head(first: Thing, second: Thing) -> bool:
    return first.name.split()[-1] == second.name and first.number == second.number
