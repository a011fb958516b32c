"""Rewrites every pair of a corpus and writes the result beside the pairs, shard by shard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import Path

from unimo_paddle.console import progress, say
from unimo_paddle.corpus import REWRITES, Corpus, CorpusWriter, Negative, Rewrites
from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.rewriting.english import normalise
from unimo_paddle.prepare.rewriting.similar_captions import SimilarCaptions
from unimo_paddle.prepare.rewriting.vocabulary import FILES, Vocabulary, read_vocabulary
from unimo_paddle.prepare.rewriting.word_level import Facts, WordRewriter, count_mentions, image_facts
from unimo_paddle.regions import RegionStore

LEVELS = ("sentence", "word")
SPARE = 4       # similar captions looked at for each one wanted, as some of them are true of the image too
CERTAIN = 0.2   # a region shows an object when its class is at least so probable (the extractor's own threshold)


def rewrite(corpus_path: Path, levels: Sequence[str], vocabulary_dir: Path | None, store_path: Path | None,
            negatives_per_pair: int, seed: int, splits: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Make positives and negatives for each pair; return split -> totals (positives, negatives by level).

    levels: of "sentence" and "word"; negatives_per_pair is shared among them, and one fills up what another lacks.
    vocabulary_dir: the folder of the three vocabulary files, needed for "word"; with it, similar captions are kept only
    when they mention an object that the image lacks. store_path: regions, whose classes count as what the image holds.
    splits: all that have pairs when None.
    A killed run goes on; a run with other settings replaces the rewrites. Raises UserError.
    """
    corpus = Corpus(corpus_path)
    splits = splits or [split for split in corpus.splits if len(corpus.pairs(split))]
    _check(corpus, levels, vocabulary_dir, negatives_per_pair, splits)
    vocabulary = read_vocabulary(vocabulary_dir) if vocabulary_dir else None
    store = RegionStore(store_path) if store_path else None
    totals = {}
    for split in splits:
        pairs = [shard.sha256 for shard in corpus.pairs(split).shards]
        files = [sha256_of(vocabulary_dir / name) for name in FILES.values()] if vocabulary_dir else []
        settings = [1, list(levels), files, str(store_path), negatives_per_pair, seed, pairs]
        fingerprint = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
        with CorpusWriter(corpus_path, REWRITES + split, fingerprint, overwrite=True) as writer:
            if not writer.finished:
                _rewrite_split(SplitRewriter(corpus, split, levels, vocabulary, store), writer,
                               negatives_per_pair, seed)
            totals[split] = writer.totals()
        say_totals(split, len(corpus.pairs(split)), totals[split])
    return totals


class SplitRewriter:
    """Everything about one split that its rewrites depend on."""

    def __init__(self, corpus: Corpus, split: str, levels: Sequence[str], vocabulary: Vocabulary | None,
                 store: RegionStore | None) -> None:
        self.pairs = corpus.pairs(split)
        self._ids, self._image_ids, self._captions = (
            self.pairs.column(name) for name in ("id", "image_id", "caption"))
        self._vocabulary, self._store = vocabulary, store
        self._of_image: dict[str, list[str]] = {}
        for image_id, caption in zip(self._image_ids, self._captions, strict=True):
            self._of_image.setdefault(image_id, []).append(caption)
        self._similar = SimilarCaptions(self._captions, self._image_ids) if "sentence" in levels else None
        self._words = None
        if vocabulary and "word" in levels:
            self._words = WordRewriter(vocabulary, count_mentions(vocabulary, self._captions))
        self._facts = lru_cache(maxsize=4096)(self._read_facts)
        self._objects = lru_cache(maxsize=1 << 16)(self._find_objects)

    def rewrites(self, chosen: range, count: int, seed: int) -> Iterator[Rewrites]:
        """Yield the rewrites of the chosen pairs in order, `count` negatives each where there are as many."""
        none: Iterator[list[Negative]] = ([] for _ in chosen)
        similar = self._similar.negatives(chosen, SPARE * count) if self._similar else none
        for pair, sentences in zip(chosen, similar, strict=True):
            image_id, caption = self._image_ids[pair], self._captions[pair]
            words: list[Negative] = []
            if self._vocabulary:
                facts = self._facts(self._vocabulary, image_id)
                sentences = [each for each in sentences if self._is_false(self._vocabulary, each.text, facts)]
                words = self._words.rewrite(self._ids[pair], caption, facts, count, seed) if self._words else []
            yield Rewrites(positives(caption, self._of_image[image_id]), mix([sentences, words], count))

    def _read_facts(self, vocabulary: Vocabulary, image_id: str) -> Facts:
        return image_facts(vocabulary, self._of_image[image_id], objects_in(self._store, image_id))

    def _is_false(self, vocabulary: Vocabulary, caption: str, facts: Facts) -> bool:
        """Tell whether another image's caption mentions an object that this image lacks; else both may own it."""
        return not all(facts.may_hold(vocabulary, entry) for entry in self._objects(vocabulary, caption))

    def _find_objects(self, vocabulary: Vocabulary, caption: str) -> set[int]:
        entries = {node.entry for node in vocabulary.find(caption)}
        return {entry for entry in entries if vocabulary.entries[entry].kind == "object"}


def positives(caption: str, captions: Sequence[str]) -> tuple[str, ...]:
    """Return an image's other captions, each text once, none equal to `caption` after normalisation."""
    others = {normalise(other): other for other in reversed(captions)}
    others.pop(normalise(caption), None)
    return tuple(reversed(others.values()))


def mix(levels: Sequence[Sequence[Negative]], count: int) -> tuple[Negative, ...]:
    """Take negatives from each level in turn until there are `count` different ones; who runs out is passed over."""
    longest = max(map(len, levels), default=0)
    in_turn = (level[i] for i in range(longest) for level in levels if i < len(level))
    different: dict[str, Negative] = {}
    for negative in in_turn:
        different.setdefault(normalise(negative.text), negative)
        if len(different) == count:
            break
    return tuple(different.values())


def objects_in(store: RegionStore | None, image_id: str) -> set[str]:
    """Return the names of the classes that an image's regions show; none without a store or for an unknown image."""
    if store is None or image_id not in store:
        return set()
    probs = store.read(image_id).class_probs
    best = probs[:, 1:].argmax(axis=1) + 1
    return {store.meta.classes[index] for row, index in enumerate(best) if probs[row, index] >= CERTAIN}


def say_totals(split: str, pairs: int, totals: dict[str, int]) -> None:
    """Print what a split's pairs have got on average, e.g. `train: 10,000 pairs, each with 4.00 positives, ...`."""
    names = {"positives": "positives", "sentence": "sentence negatives", "word": "word negatives"}
    each = ", ".join(f"{totals.get(name, 0) / pairs:.2f} {shown}" for name, shown in names.items())
    say(f"{split}: {pairs:,} pairs, each with {each} on average")


def _rewrite_split(rewriter: SplitRewriter, writer: CorpusWriter, count: int, seed: int) -> None:
    shards = rewriter.pairs.shards
    ends = accumulate(shard.rows for shard in shards)
    missing = [(shard, range(end - shard.rows, end)) for shard, end in zip(shards, ends, strict=True)
               if not writer.has_rewrites(shard)]
    done = len(rewriter.pairs) - sum(len(chosen) for _, chosen in missing)
    stream = (row for _, chosen in missing for row in rewriter.rewrites(chosen, count, seed))
    shown = progress(stream, len(rewriter.pairs), "rewriting", "pair", start=done)
    for shard, chosen in missing:
        writer.add_rewrites(shard, list(islice(shown, len(chosen))))


def _check(corpus: Corpus, levels: Sequence[str], vocabulary_dir: Path | None, negatives_per_pair: int,
           splits: Sequence[str]) -> None:
    faults = [f"level {level!r} is not one of {', '.join(LEVELS)}" for level in levels if level not in LEVELS]
    if "word" in levels and vocabulary_dir is None:
        faults.append("the word level needs --vocabulary, a folder with " + ", ".join(FILES.values()))
    if negatives_per_pair < 1:
        faults.append(f"negatives per pair is {negatives_per_pair}; 1 or more are wanted")
    faults += [f"split {split!r} of {corpus.path} has no pairs" for split in splits if not len(corpus.pairs(split))]
    if not splits:
        faults.append(f"{corpus.path} has no pairs; take some in with: tools/prepare.py ingest coco")
    if faults:
        raise UserError("nothing was rewritten:\n  " + "\n  ".join(faults))
