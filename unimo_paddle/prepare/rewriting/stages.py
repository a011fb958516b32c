"""What is done with each slice of pairs: parse, paraphrase, find similar captions, put the rewrites together.

Each `..._work` is called once in a worker and returns the function that makes one slice; the rows depend on the corpus
and the settings alone, never on which worker made them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from pathlib import Path

from unimo_paddle.config import CorpusPlan
from unimo_paddle.corpus import Corpus, Negative, Neighbours, Paraphrases, Rewrites
from unimo_paddle.corpus_derived import Shard, Slice, columns_of, read_slice_pairs, write_slice
from unimo_paddle.prepare.rewriting.english import is_long, normalise
from unimo_paddle.prepare.rewriting.facts import Facts, Seen, image_facts, read_seen
from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph
from unimo_paddle.regions import RegionStore

LEVELS = ("sentence", "phrase", "word")
SPARE = 4   # similar captions looked at for each one wanted, as some of them are true of the image too

NOTHING = Paraphrases((), (), ())

Work = Callable[[Slice], Shard]


def graph_work() -> Work:
    """Return what parses the captions of a slice; one of more than english.MOST_WORDS has an empty graph."""
    from unimo_paddle.prepare.rewriting.parser import Parser

    parser = Parser()

    def work(part: Slice) -> Shard:
        captions = read_slice_pairs(part)[2]
        graphs = parser.parse([caption if not is_long(caption) else "" for caption in captions])
        counts = Counter({"too long": sum(map(is_long, captions))})
        counts.update(kind for graph in graphs for kind in ("things", "attributes", "relations")
                         for _ in getattr(graph, kind))
        return write_slice(part, columns_of("graphs", [graph.to_json() for graph in graphs]), dict(counts))

    return work


def paraphrase_work(plan: CorpusPlan, translations: Path | None) -> Work:
    """Return what paraphrases the captions of a slice; without any translation there are no paraphrases."""
    paraphrases: Callable[[Sequence[str]], list[Paraphrases]]
    if plan.positives.translators or translations:
        from unimo_paddle.prepare.rewriting.sources import make_paraphraser

        paraphrases = make_paraphraser(plan, translations).paraphrases
    else:
        def paraphrases(captions: Sequence[str]) -> list[Paraphrases]:
            return [NOTHING] * len(captions)

    def work(part: Slice) -> Shard:
        captions = read_slice_pairs(part)[2]
        made = iter(paraphrases([caption for caption in captions if not is_long(caption)]))
        rows = [NOTHING if is_long(caption) else next(made) for caption in captions]
        counts = Counter(origin for row in rows for origin in row.origins)
        return write_slice(part, columns_of("paraphrases", rows), dict(counts))

    return work


def similar_work(index_folder: Path, count: int) -> Work:
    """Return what finds the similar captions of a slice; count: of each pair."""
    from unimo_paddle.prepare.rewriting.similar_captions import SimilarIndex

    index = SimilarIndex.open(index_folder)

    def work(part: Slice) -> Shard:
        found = index.similar(part.rows, count)
        rows = [Neighbours(tuple(row for row, _ in ranked), tuple(score for _, score in ranked)) for ranked in found]
        return write_slice(part, columns_of("similar", rows), {"similar": sum(map(len, found))})

    return work


@dataclass(frozen=True)
class Sources:
    """Where the rewrites of a split are put together from. index: of similar captions; vocabulary: counted graphs."""

    corpus: Path
    split: str
    index: Path
    vocabulary: Path
    store: Path | None


def rewrite_work(sources: Sources, plan: CorpusPlan, levels: Sequence[str]) -> Work:
    """Return what puts the rewrites of a slice together."""
    rewriter = Rewriter(sources, plan, levels)

    def work(part: Slice) -> Shard:
        rows = [rewriter.rewrites(row) for row in part.rows]
        counts = Counter(negative.level for row in rows for negative in row.negatives)
        counts.update(f"positives:{origin}" for row in rows for origin in row.origins)
        counts["with all negatives"] = sum(len(row.negatives) == rewriter.wanted for row in rows)
        counts["with a positive"] = sum(bool(row.positives) for row in rows)
        return write_slice(part, columns_of("rewrites", rows), dict(counts))

    return work


class Rewriter:
    """Puts the rewrites of single pairs together. wanted: negatives of a pair."""

    def __init__(self, sources: Sources, plan: CorpusPlan, levels: Sequence[str]) -> None:
        from unimo_paddle.prepare.rewriting.corpus_vocabulary import CorpusVocabulary, VocabularyCounts
        from unimo_paddle.prepare.rewriting.exchange import Exchanger
        from unimo_paddle.prepare.rewriting.similar_captions import SimilarIndex
        from unimo_paddle.prepare.rewriting.wordnet import WordNet

        corpus = Corpus(sources.corpus)
        self._pairs, self._graphs = corpus.pairs(sources.split), corpus.graphs(sources.split)
        self._paraphrases, self._similar = corpus.paraphrases(sources.split), corpus.similar(sources.split)
        self._index = SimilarIndex.open(sources.index)
        self._store = RegionStore(sources.store) if sources.store else None
        self._exchanger = Exchanger(CorpusVocabulary.of(VocabularyCounts.load(sources.vocabulary)), WordNet())
        self._plan = plan
        self._quotas = {level: getattr(plan.negatives, level) for level in LEVELS if level in levels}
        self.wanted = sum(self._quotas.values())
        self._graph = lru_cache(maxsize=1 << 16)(lambda row: SceneGraph.from_json(self._graphs[row]))
        self._image = lru_cache(maxsize=1024)(self._read_image)

    def rewrites(self, row: int) -> Rewrites:
        """Return the rewrites of one pair by its row of the split."""
        caption = self._pairs[row].caption
        captions, graphs, seen = self._image(int(self._index.image_of_pair[row]))
        found = dict(self._positives(row, caption, captions))
        facts = image_facts(captions, graphs, seen, found)
        return Rewrites(tuple(found), self._negatives(row, caption, facts), tuple(found.values()))

    def _read_image(self, image: int) -> tuple[list[str], list[SceneGraph], Seen]:
        rows = self._index.rows_of(image)
        pairs = [self._pairs[row] for row in rows]
        seen = read_seen(self._store, pairs[0].image_id) if self._store else Seen()
        return [pair.caption for pair in pairs], [self._graph(row) for row in rows], seen

    def _positives(self, row: int, caption: str, captions: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield (text, origin) of different positives: paraphrases first, then the image's other captions."""
        paraphrases = self._paraphrases[row]
        others = ((other, "caption") for other in captions) if self._plan.positives.captions else ()
        taken, left = {normalise(caption)}, self._plan.positives.count
        for text, origin in chain(zip(paraphrases.texts, paraphrases.origins, strict=True), others):
            if left and normalise(text) not in taken:
                yield text, origin
                taken.add(normalise(text))
                left -= 1

    def _negatives(self, row: int, caption: str, facts: Facts) -> tuple[Negative, ...]:
        """Return each level's quota; where a level gives less, the others fill up."""
        first = {level: self._of_level(row, caption, facts, level, quota) for level, quota in self._quotas.items()}
        different = _distinct(chain.from_iterable(first.values()))
        if len(different) < self.wanted:
            more = (self._of_level(row, caption, facts, level, self.wanted) for level, found in first.items()
                    if len(found) == self._quotas[level] > 0)
            in_turn = (one for several in zip_longest(*more) for one in several if one)
            different = _distinct(chain(different, in_turn))
        return tuple(different[:self.wanted])

    def _of_level(self, row: int, caption: str, facts: Facts, level: str, count: int) -> list[Negative]:
        if level == "sentence":
            return self._sentences(row, facts, count)
        pair_id, graph = self._pairs[row].id, self._graph(row)
        return self._exchanger.negatives(pair_id, caption, graph, facts, level, count, self._plan.seed)

    def _sentences(self, row: int, facts: Facts, count: int) -> list[Negative]:
        """Return captions of other images that are similar, and false because they name a thing that ours lacks."""
        found: list[Negative] = []
        similar = self._similar[row]
        for other, score in zip(similar.keys, similar.scores, strict=True):
            if len(found) == count:
                break
            text = self._pairs[int(other)].caption
            if normalise(text) not in facts.captions and self._exchanger.tells_apart(self._graph(int(other)), facts):
                found.append(Negative(text, "sentence", f"similarity {score:.2f}"))
        return found


def _distinct(negatives: Iterable[Negative]) -> list[Negative]:
    different: dict[str, Negative] = {}
    for negative in negatives:
        different.setdefault(normalise(negative.text), negative)
    return list(different.values())
