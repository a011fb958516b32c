"""Of which things a word of a parsed caption speaks: through "and", through clauses, and what "it" means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unimo_paddle.prepare.rewriting.caption_words import PEOPLE
from unimo_paddle.prepare.rewriting.lemmas import verb_lemma
from unimo_paddle.prepare.rewriting.noun_phrases import Nouns
from unimo_paddle.prepare.rewriting.parse_tree import Node, Tree, children, coordinated, has_child

PRONOUNS = frozenset({"it", "them", "they", "he", "she", "him", "her"})
_OF_MANY = frozenset({"them", "they"})
_OF_PEOPLE = frozenset({"he", "she", "him", "her"})
_CLAUSES = frozenset({"relcl", "acl", "advcl", "xcomp", "conj", "ccomp", "pcomp", "dep", "parataxis"})
# Behind these several things are listed; behind another word "a rug and a cat on a mat" begins something new.
_LISTING = frozenset({"with", "of", "between", "including", "has", "have", "see", "show", "shows", "showing", "depicts",
                      "depicting", "features", "featuring"})

Things = tuple[int, ...]


@dataclass(frozen=True)
class References:
    """Finds the things (indices in nouns.things) that are meant at a place of the tree."""

    tree: Tree
    nouns: Nouns

    def things(self, nodes: Iterable[Node]) -> Things:
        """Return the things that the nodes name themselves."""
        return tuple(thing for node in nodes for thing in self.nouns.of.get(node.index, ()))

    def named(self, node: Node) -> bool:
        """Tell whether a node names a thing, or frames or counts some."""
        return node.index in self.nouns.of

    def members(self, noun: Node) -> Things:
        """Return the things of a noun and of those joined to it by "and"."""
        return self.things(coordinated(self.tree, noun))

    def objects(self, noun: Node, subjects: Things) -> Things:
        """Return the things of an object; of "it", what it means beside the subjects.

        A joined noun with a tail of its own begins something new: "a man on a horse and a woman on a bike".
        """
        if noun.text in PRONOUNS:
            rest = [thing for thing in self._candidates(noun) if thing not in subjects]
            return tuple(rest[-1:])
        return self.things(each for each in coordinated(self.tree, noun) if each is noun or not self._tail(each))

    def before(self, noun: Node, word: Node) -> Things:
        """Return the things of which a word behind a noun speaks: "a dog and a cat" of "a dog and a cat on a mat".

        Not of the rug in "a dog on a rug and a cat on a mat", nor of what has a tail of its own.
        """
        group = [noun, *(each for each in coordinated(self.tree, noun)[1:] if each.index < word.index)]
        while group[0].dep == "conj" and self.named(self._above(group[0])) and not self._tail(self._above(group[0])):
            group.insert(0, self._above(group[0]))
        new = group[0].dep in ("pobj", "dobj") and self._above(group[0]).text not in _LISTING
        return self.things(group[group.index(noun):] if new else group)

    def subjects(self, verb: Node, word: Node) -> Things:
        """Return the things of which a word below the verb speaks, found through the clauses above it."""
        while True:
            subjects = list(children(self.tree, verb, "nsubj", "nsubjpass"))
            relative = any(each.tag in ("WP", "WDT") for each in subjects)
            shown = self._shown(verb, word)
            if subjects and not relative:
                return self._named_subjects(verb, subjects)
            if shown and not relative:
                return self.members(shown)
            above = self._above(verb)
            if verb.dep not in _CLAUSES or above is verb:
                return ()
            if self.named(above):
                return self.before(above, word)
            verb = above

    def _above(self, node: Node) -> Node:
        return self.tree[node.head]

    def _tail(self, noun: Node) -> list[Node]:
        """Return what follows a noun and belongs to it: "on a mat", "riding a horse"; not "of coffee" of a cup."""
        return [child for child in children(self.tree, noun, "prep", "acl", "relcl") if child.index > noun.index
                and not (child.text == "of" and self.nouns.of.get(noun.index))]

    def _shown(self, verb: Node, word: Node) -> Node | None:
        """Return the noun that "there is" or "is" shows: the last one in front of the word, else the first behind."""
        there = has_child(self.tree, verb, "expl")
        if not there and verb_lemma(verb.text, verb.tag) != "be":
            return None
        nouns = list(children(self.tree, verb, "attr"))
        if there and not nouns:   # the model gave it another part
            nouns = [node for node in self.tree[verb.index + 1:] if self.named(node)][:1]
        before = [noun for noun in nouns if noun.index < word.index]
        return before[-1] if before else next(iter(nouns), None)

    def _named_subjects(self, verb: Node, subjects: list[Node]) -> Things:
        """Return the things of the subjects; "it" is what the caption spoke of first, "you can see X" speaks of X."""
        things = tuple(thing for noun in subjects for thing in self.members(noun))
        if things:
            return things
        if any(noun.text in PRONOUNS for noun in subjects):
            return tuple(self._candidates(subjects[0])[:1])
        return tuple(thing for noun in children(self.tree, verb, "dobj", "attr") for thing in self.members(noun))

    def _candidates(self, pronoun: Node) -> list[int]:
        """Return the things in front of a pronoun that it can mean, in order."""
        things = self.nouns.things
        owners = self.things(node for node in self.tree if node.dep == "poss")
        before = [k for k, thing in enumerate(things) if thing.span.start < pronoun.start and k not in owners]
        many = pronoun.text in _OF_MANY
        fitting = [k for k in before if (things[k].number == "plural") == many]
        if pronoun.text in _OF_PEOPLE:
            fitting = [k for k in before if things[k].name.split(" ")[-1] in PEOPLE] or fitting
        return fitting or before
