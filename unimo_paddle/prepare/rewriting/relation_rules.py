"""How the things of a parsed caption stand to each other: by its prepositions, adjectives and verbs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from unimo_paddle.prepare.rewriting.caption_words import (
    EMPTY_VERBS,
    FRAMES,
    GROUNDS,
    NO_RELATIONS,
    PARTS,
    PLACING,
    QUANTITIES,
)
from unimo_paddle.prepare.rewriting.lemmas import verb_lemma
from unimo_paddle.prepare.rewriting.noun_phrases import Nouns, attribute, is_attribute
from unimo_paddle.prepare.rewriting.parse_tree import Node, Tree, children, coordinated, has_child
from unimo_paddle.prepare.rewriting.references import PRONOUNS, References, Things
from unimo_paddle.prepare.rewriting.scene_graph import Attribute, Relation, Span

# The ties of an adjective with a preposition ("full of"), and of "up" in "up on".
_ADJECTIVES = frozenset({"acomp", "amod", "oprd", "acl", "ROOT", "conj", "advcl"})
_LEADING = frozenset({"prep", "advmod", "prt", "pcomp"})

_Said = tuple[tuple[Span, ...], str, int, int]   # of a Relation


@dataclass(frozen=True)
class _Tie:
    """A preposition and all in front that belongs to it ("is sitting on"): the nodes, the name, and what governs it."""

    nodes: tuple[Node, ...]
    name: str
    governor: Node

    def add(self, node: Node) -> _Tie:
        """Return the tie with its governor in front, below that one's own governor."""
        return _Tie((self.governor, *self.nodes), f"{self.governor.text} {self.name}", node)


def find_relations(tree: Tree, nouns: Nouns) -> list[Relation]:
    """Return the relations in the order of their words, each once."""
    rules = _Rules(tree, nouns, References(tree, nouns))
    found = {said for node in tree for said in (rules.preposition(node) if node.is_preposition else rules.verb(node))}
    return [Relation(*said) for said in sorted(_without_scaffold(found))]


def find_predicates(tree: Tree, nouns: Nouns) -> list[Attribute]:
    """Return the attributes that a verb gives to its subjects: "the ball is red and white"."""
    refer = References(tree, nouns)
    adjectives = [(node, each) for node in tree for child in children(tree, node, "acomp")
                  for each in coordinated(tree, child) if each.tag.startswith(("JJ", "VB")) and is_attribute(each)
                  and not has_child(tree, each, "prep", "agent")]
    return [attribute(tree, each, thing) for verb, each in adjectives for thing in refer.subjects(verb, each)]


@dataclass(frozen=True)
class _Rules:
    """The rules, over the tree of one caption."""

    tree: Tree
    nouns: Nouns
    refer: References

    def preposition(self, node: Node) -> Iterator[_Said]:
        """Yield the relations that a preposition says, with the verb or the adjective that it belongs to."""
        objects = self._objects(node)
        if not objects or node.text in NO_RELATIONS or self._leads_on(node, objects):
            return
        tie = self._tie(node)
        if tie.name == "of" and tie.governor.text in FRAMES | QUANTITIES:
            return
        yield from self._said(tie, self._behind_scaffold(node, objects) or self._subjects(tie), objects)

    def verb(self, node: Node) -> Iterator[_Said]:
        """Yield the relations of a verb with its direct objects."""
        objects = list(children(self.tree, node, "dobj"))
        lemma = verb_lemma(node.text, node.tag)
        takes_picture = lemma == "take" and all(self.nouns.of.get(noun.index) == () for noun in objects)
        if not node.is_verb or not objects or lemma in EMPTY_VERBS - {"place", "contain"} or takes_picture:
            return
        particles = [child for child in children(self.tree, node, "prt") if child.index == node.index + 1]
        name = " ".join([lemma, *(each.text for each in particles)])
        tie = _Tie((*self._with_helpers(node), *particles), name, node)
        yield from self._said(tie, self.refer.subjects(node, node), objects)

    def _said(self, tie: _Tie, subjects: Things, objects: list[Node]) -> Iterator[_Said]:
        """Yield the tie between each subject and each object."""
        spans = _spans(tie.nodes)
        return ((spans, tie.name, subject, thing) for noun in objects for thing in self.refer.objects(noun, subjects)
                for subject in subjects if subject != thing)

    def _objects(self, node: Node) -> list[Node]:
        """Return the nouns behind a preposition; "coffee" of "cup of coffee" is no thing beside the cup."""
        inside = self.nouns.of.get(node.head, ())
        return [noun for noun in children(self.tree, node, "pobj") if noun.text not in PARTS
                and not (inside and self.nouns.of.get(noun.index) == inside)]

    def _leads_on(self, node: Node, objects: list[Node]) -> bool:
        """Tell whether a "with" only leads on: ", with a lamp above it", "with trees in the background"."""
        if node.text != "with" or node.relation:
            return False
        comma = self.tree[node.index - 1].text == ","
        tails = [tail for noun in objects for each in coordinated(self.tree, noun)
                 for tail in children(self.tree, each, "prep") if tail.text != "of"]
        return any(comma or noun.text in GROUNDS for tail in tails for noun in children(self.tree, tail, "pobj"))

    def _behind_scaffold(self, node: Node, objects: list[Node]) -> Things:
        """Return the key of "a duck with a key to its left", of "a duck has a key to its left", else nothing.

        The model may tie "to its left" to the duck or to "has".
        """
        if not any(noun.text in PRONOUNS for noun in objects):
            return ()
        governor = self.tree[node.head]
        withs = [each for each in children(self.tree, governor, "prep") if each.text == "with"
                 and each.index < node.index]
        nouns = [noun for noun in (children(self.tree, withs[-1], "pobj") if withs else
                                   children(self.tree, governor, "dobj")) if noun.index < node.index]
        return self.refer.members(nouns[-1]) if nouns else ()

    def _tie(self, node: Node) -> _Tie:
        """Climb from a preposition to what governs it: over prepositions and adverbs, an adjective, or its verb."""
        tie = _Tie((node,), node.relation or node.text, self.tree[node.head])
        outer = self.tree[tie.governor.head]
        if node.text == "of" and tie.governor.text in PARTS and outer.is_preposition:   # "at the end of"
            nodes = tuple(self.tree[outer.index:node.index + 1])
            tie = _Tie(nodes, f"{outer.text} {tie.governor.text} of", self.tree[outer.head])
        while tie.governor.index == tie.nodes[0].index - 1 and tie.governor.dep in _LEADING and not (
                tie.governor.is_noun or tie.governor.is_verb):
            tie = tie.add(self.tree[tie.governor.head])
        while tie.governor.dep == "pobj" and not self.nouns.of.get(tie.governor.index):   # "in a row outside of"
            tie = _Tie(tie.nodes, tie.name, self.tree[self.tree[tie.governor.head].head])
        if self._is_adjective(tie.governor):
            return tie.add(tie.governor)
        return self._verb_tie(tie) if tie.governor.is_verb else tie

    def _is_adjective(self, node: Node) -> bool:
        return node.tag.startswith("JJ") and node.dep in _ADJECTIVES and not self.refer.named(node)

    def _verb_tie(self, tie: _Tie) -> _Tie:
        """Add a verb to its first preposition, unless it has an object of its own or only says "there is"."""
        verb, first = tie.governor, tie.nodes[0]
        lemma = verb_lemma(verb.text, verb.tag)
        earlier = any(verb.index < each.index < first.index for each in children(self.tree, verb, "prep", "agent"))
        if has_child(self.tree, verb, "dobj") or lemma in EMPTY_VERBS or first.index < verb.index or earlier:
            return tie
        return _Tie((*self._with_helpers(verb), *tie.nodes), f"{lemma} {tie.name}", verb)

    def _with_helpers(self, verb: Node) -> list[Node]:
        """Return the verb behind its auxiliaries: "is being held"."""
        nodes = [verb]
        while nodes[0].index and self.tree[nodes[0].index - 1].dep in ("aux", "auxpass"):
            nodes.insert(0, self.tree[nodes[0].index - 1])
        return nodes

    def _subjects(self, tie: _Tie) -> Things:
        """Return the things of which a tie speaks."""
        governor, last = tie.governor, tie.nodes[-1]
        misplaced = [noun for noun in children(self.tree, last, "npadvmod") if self.refer.named(noun)]
        if misplaced:   # "with a caribou above it": the caribou was tied to "above"
            return self.refer.members(misplaced[0])
        if self._is_adjective(governor):
            governor = self.tree[governor.head]
        if self.refer.named(governor):
            return self.refer.before(governor, tie.nodes[0])
        placed = [noun for noun in children(self.tree, governor, "dobj") if noun.index < last.index]
        if placed and verb_lemma(governor.text, governor.tag) in PLACING | {"see"}:
            return self.refer.members(placed[-1])
        return self.refer.subjects(governor, last)


def _spans(nodes: tuple[Node, ...]) -> tuple[Span, ...]:
    """Return the characters of the nodes; neighbours share a span."""
    spans = [Span(nodes[0].start, nodes[0].end)]
    for before, node in itertools.pairwise(nodes):
        if node.index == before.index + 1:
            spans[-1] = Span(spans[-1].start, node.end)
        else:
            spans.append(Span(node.start, node.end))
    return tuple(spans)


def _without_scaffold(found: set[_Said]) -> set[_Said]:
    """Drop a "with" that only introduces a relation said from the other end: "a duck with a key to its left"."""
    ends = {(subject, thing) for _, name, subject, thing in found if name != "with"}
    return {said for said in found if said[1] != "with" or (said[3], said[2]) not in ends}
