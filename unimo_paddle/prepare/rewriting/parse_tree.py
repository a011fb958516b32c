"""The dependency tree of a caption, and mending of what the model is known to read wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from unimo_paddle.prepare.rewriting.caption_words import BARE_VERBS, BEHIND_NOUNS, POSTURES

_ARTICLES = ("a", "an", "the", "this", "that", "these", "those", "another", "each", "every")


@dataclass
class Node:
    """A word of the parsed caption.

    text: small letters.  tag: Penn Treebank's.  dep: its tie to `head`, the index of the governing node (its own at a
    root).  start, end: characters of the caption.  relation: what a stand-in preposition really says, else "".
    """

    index: int
    text: str
    tag: str
    dep: str
    head: int
    start: int
    end: int
    relation: str = ""
    children: list[int] = field(default_factory=list)

    @property
    def is_noun(self) -> bool:
        """Whether the tagger calls it a noun or a name."""
        return self.tag.startswith("NN")

    @property
    def is_verb(self) -> bool:
        """Whether the tagger calls it a verb, in any form."""
        return self.tag.startswith("VB")

    @property
    def is_preposition(self) -> bool:
        """Whether it stands for a relation or is tied as a preposition ("by" after a passive is, too)."""
        return bool(self.relation) or self.dep in ("prep", "agent")


Tree = list[Node]


def children(tree: Tree, node: Node, *deps: str) -> Iterator[Node]:
    """Yield the node's children with one of the ties, in order."""
    return (tree[child] for child in node.children if tree[child].dep in deps)


def has_child(tree: Tree, node: Node, *deps: str) -> bool:
    """Tell whether the node has a child with one of the ties."""
    return any(tree[child].dep in deps for child in node.children)


def has_article(tree: Tree, node: Node, articles: tuple[str, ...] = _ARTICLES) -> bool:
    """Tell whether one of the articles stands before a noun."""
    return any(child.text in articles for child in children(tree, node, "det"))


def coordinated(tree: Tree, node: Node) -> list[Node]:
    """Return the node and those joined to it by "and", in order ("a dog, a cat and a hen" from its first)."""
    found, todo = [node], [node]
    while todo:
        joined = [each for each in children(tree, todo.pop(), "conj", "appos") if each.dep == "conj"
                  or has_child(tree, each, "conj")]   # a list's second part, taken for an apposition
        found += joined
        todo += joined
    return sorted(found, key=lambda each: each.index)


def mend(tree: Tree) -> None:
    """Make the last noun the head of its phrase where the model took it for something else ("an albino peahen")."""
    for before, node in itertools.pairwise(tree):
        if before.text == "and" and _was_listed(tree, node):
            _list(tree, node)
    for node, after in itertools.pairwise(tree):
        if node.dep == "compound" and node.head == after.index and after.is_noun and after.text in POSTURES:
            _exchange_roles(tree, after, node)
            after.dep, after.tag = "acl", "VBG"
        elif node.dep not in ("compound", "dative") and has_article(tree, node) and (
                _was_noun(node, after) or _was_adjective(node, after) or _was_verb(tree, node, after)):
            _exchange_roles(tree, node, after)


def _list(tree: Tree, node: Node) -> None:
    """Join a noun to the one before "and"; what follows belongs to the man of "a man in suit and tie giving a talk"."""
    for child in [tree[index] for index in node.children if index > node.index]:
        _hang(tree, child, node.head, "acl" if child.is_verb else child.dep)
    node.tag = "NN"
    _hang(tree, node, node.index - 2, "conj")


def _was_listed(tree: Tree, node: Node) -> bool:
    """Tell whether a bare verb joined to a noun is a noun itself: "in a suit and tie"."""
    listed = node.tag in ("VB", "VBP") and node.dep == "conj" and node.text not in BARE_VERBS
    return listed and node.index > 1 and tree[node.head].is_noun and tree[node.index - 2].is_noun \
        and not has_child(tree, node, "dobj", "nsubj")


def _was_noun(node: Node, after: Node) -> bool:
    """Tell whether two nouns make one phrase: "a pattypan squash" with the squash as an apposition."""
    return node.is_noun and after.is_noun and after.dep not in ("compound", "poss", "nmod", "amod")


def _was_adjective(node: Node, after: Node) -> bool:
    """Tell whether what stands behind a noun is no adjective; few adjectives do ("a man asleep", "a foot tall")."""
    tied = (after.head == node.index and after.dep == "amod") or (node.head == after.index and node.dep == "npadvmod")
    return node.is_noun and tied and after.tag == "JJ" and after.text not in BEHIND_NOUNS


def _was_verb(tree: Tree, node: Node, after: Node) -> bool:
    """Tell whether what stands behind "a teddy" or "a small" is no verb: "a teddy bear", "a small rose"."""
    single = has_article(tree, node, ("a", "an")) and node.dep != "conj"
    if not single or after.dep in ("aux", "auxpass") or after.text in BARE_VERBS:
        return False
    bare = after.tag in ("VB", "VBP")
    small = node.tag == "JJ" and node.dep in ("nsubj", "nsubjpass")
    return (node.tag == "NN" and bare) or (small and (bare or after.tag == "VBD"))


def _exchange_roles(tree: Tree, node: Node, head: Node) -> None:
    """Let `head` take the place of `node` in the tree, and `node` and all below it hang from `head`."""
    below = _child_towards(tree, head, node)
    if below is not None:
        _hang(tree, below, below.index if head.head == head.index else head.head, head.dep)
    _hang(tree, head, head.index if node.head == node.index else node.head, node.dep)
    for child in [tree[index] for index in node.children]:
        if child is not head:
            _hang(tree, child, head.index, child.dep)
    _hang(tree, node, head.index, "amod" if node.tag == "JJ" else "compound")
    head.tag = head.tag if head.is_noun else "NN"


def _child_towards(tree: Tree, above: Node, node: Node) -> Node | None:
    """Return the child of `above` on the way down to the node, or None when it does not lead there."""
    while node.head != node.index:
        if node.head == above.index:
            return node
        node = tree[node.head]
    return None


def _hang(tree: Tree, node: Node, head: int, dep: str) -> None:
    """Hang a node elsewhere; head: its own index makes it a root."""
    if node.head != node.index:
        tree[node.head].children.remove(node.index)
    node.head, node.dep = head, dep
    if head != node.index:
        tree[head].children = sorted([*tree[head].children, node.index])
