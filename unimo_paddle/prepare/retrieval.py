"""Images and sentences of single-modal collections near each pair (paper section 2.2), stored beside the pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from unimo_paddle.config import CorpusPlan
from unimo_paddle.console import progress, say
from unimo_paddle.corpus import Corpus, CorpusWriter, Neighbours, Text
from unimo_paddle.corpus_derived import DerivedWriter, Shard, Slice, columns_of, read_slice_pairs, write_slice
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.derive import derive
from unimo_paddle.prepare.neighbours.embeddings import Embeddings, SentenceIndex, related
from unimo_paddle.prepare.neighbours.images import ImageIndex
from unimo_paddle.prepare.neighbours.ivf import Limits
from unimo_paddle.prepare.neighbours.sentences import sentences
from unimo_paddle.prepare.paired import require_regions
from unimo_paddle.prepare.sentence_encoder import load_sentence_encoder
from unimo_paddle.regions import RegionStore
from unimo_paddle.workers.crew import keeping_sigterm
from unimo_paddle.workers.engine import Engine, map_tasks

VERSION = 1   # of the rules here and in neighbours/; another one makes the neighbours anew
CANDIDATES = 400   # sentences that are scored exactly where the index is approximate

Work = Callable[[Slice], Shard]


def retrieve(corpus_path: Path, plan: CorpusPlan, engine: Engine, *, images: Path | None, texts: Path | None,
             regions: Path | None, splits: Sequence[str]) -> None:
    """Find the images and the sentences near each pair.

    images: region store of the image collection; those that pairs of the corpus show are no part of it.
    regions: region store of the pairs' own images, `images` when None.  texts: corpus whose documents are searched,
    sentence by sentence.  A killed run goes on. Raises UserError.
    """
    corpus = Corpus(corpus_path)
    faults = [f"split {split!r} of {corpus_path} has no pairs" for split in splits if not len(corpus.pairs(split))]
    if not images and not texts:
        faults.append("there is nothing to search in; give --images STORE, --texts CORPUS, or both")
    if faults:
        raise UserError("nothing was retrieved:\n  " + "\n  ".join(faults))
    for split in splits:
        if images:
            _retrieve_images(corpus, split, plan, engine, images, regions or images)
        if texts:
            _retrieve_texts(corpus, split, plan, engine, Corpus(texts))


def _retrieve_images(corpus: Corpus, split: str, plan: CorpusPlan, engine: Engine, images: Path, regions: Path) -> None:
    collection, own = RegionStore(images), RegionStore(regions)
    require_regions(corpus, split, own)
    paired = {image_id for each in corpus.splits for image_id in corpus.pairs(each).column("image_id")}
    single = [image_id for image_id in collection.ids if image_id not in paired]
    if not single:
        raise UserError(f"all {len(collection):,} images of {images} belong to pairs of {corpus.path}; the collection "
                        "to search needs images of its own, e.g. from: tools/prepare.py ingest images")
    folder = corpus.path / "preparing" / split / "images"
    folder.parent.mkdir(parents=True, exist_ok=True)
    limits = Limits(plan.search.exact_up_to, plan.search.recall)
    note = ImageIndex.build(collection, single, folder, limits).note
    say(f"{len(single):,} images to search for {split}: {note}")
    facts = [_store_facts(collection), _store_facts(own), asdict(limits)]
    _derive(corpus, "retrieved_images", split, partial(image_work, folder, regions, plan.retrieval.images), engine,
            [plan.retrieval.images, len(single), *facts])


def _store_facts(store: RegionStore) -> list[str | int]:
    return [str(store.path.resolve()), store.meta.detector, len(store)]


def image_work(index_folder: Path, regions: Path, count: int) -> Work:
    """Return what finds the images near the pairs of a slice."""
    index, store = ImageIndex(index_folder), RegionStore(regions)

    def work(part: Slice) -> Shard:
        found = index.nearest(store, read_slice_pairs(part)[1], count)
        rows = [Neighbours(tuple(key for key, _ in ranked), tuple(score for _, score in ranked)) for ranked in found]
        return write_slice(part, columns_of("retrieved_images", rows), {"images": sum(map(len, found))})

    return work


def _retrieve_texts(corpus: Corpus, split: str, plan: CorpusPlan, engine: Engine, texts: Corpus) -> None:
    shards = [shard for each in texts.splits for shard in texts.texts(each).shards]
    if not shards:
        raise UserError(f"{texts.path} has no texts; take some in with: tools/prepare.py ingest text")
    settings = plan.retrieval
    key = hashlib.sha256(json.dumps([VERSION, settings.least_words, settings.most_words,
                                     [shard.sha256 for shard in shards]]).encode()).hexdigest()
    count = _store_sentences(corpus, split, texts, key, plan)
    folder = corpus.path / "preparing" / split / "sentences"
    encoder = keeping_sigterm(partial(load_sentence_encoder, plan.encoder))
    embeddings = Embeddings.prepare(folder, key, count, encoder)
    todo = embeddings.todo
    done = count - sum(map(len, todo))
    parts = map_tasks(engine, partial(encode_work, corpus.path, split, embeddings, plan.encoder), todo)
    for _ in progress(parts, count, "encoding sentences", "sentence", start=done, size=len):
        pass
    limits = Limits(plan.search.sentences_up_to, plan.search.recall, CANDIDATES)
    note = SentenceIndex.build(folder, limits).note
    say(f"{count:,} sentences to search for {split}: {note}")
    work = partial(text_work, corpus.path, split, folder, plan.encoder, settings.texts)
    _derive(corpus, "retrieved_texts", split, work, engine, [settings.texts, key, encoder.name, asdict(limits)])


def _store_sentences(corpus: Corpus, split: str, texts: Corpus, key: str, plan: CorpusPlan) -> int:
    """Cut the documents into sentences beside the pairs, unless that was done; return how many there are."""
    documents: Iterator[Text] = (document for each in texts.splits for document in texts.texts(each))
    total = sum(len(texts.texts(each)) for each in texts.splits)
    shown = progress(documents, total, "cutting into sentences", "document")
    with CorpusWriter(corpus.path, f"sentences-{split}", key, overwrite=True) as writer:
        if not writer.finished:
            for sentence in sentences(shown, plan.retrieval.least_words, plan.retrieval.most_words):
                writer.add(split, sentence, "sentences")
    count = len(Corpus(corpus.path).sentences(split))
    if not count:
        raise UserError(f"{texts.path} has no sentence of {plan.retrieval.least_words} to {plan.retrieval.most_words} "
                        "words; change retrieval.least_words or retrieval.most_words")
    return count


def encode_work(corpus: Path, split: str, embeddings: Embeddings,
                encoder_folder: Path | None) -> Callable[[range], range]:
    """Return what encodes a run of sentences."""
    encoder, texts = load_sentence_encoder(encoder_folder), Corpus(corpus).sentences(split)

    def work(part: range) -> range:
        embeddings.write(part, [texts[row].text for row in part], encoder)
        return part

    return work


def text_work(corpus: Path, split: str, folder: Path, encoder_folder: Path | None, count: int) -> Work:
    """Return what finds the sentences near the pairs of a slice."""
    encoder, index = load_sentence_encoder(encoder_folder), SentenceIndex(folder)
    texts = Corpus(corpus).sentences(split)

    def work(part: Slice) -> Shard:
        found = related(index, encoder, read_slice_pairs(part)[2], texts, count)
        rows = [Neighbours(tuple(row for row, _ in ranked), tuple(score for _, score in ranked)) for ranked in found]
        return write_slice(part, columns_of("retrieved_texts", rows), {"sentences": sum(map(len, found))})

    return work


def _derive(corpus: Corpus, collection: str, split: str, make_work: Callable[[], Work], engine: Engine,
            settings: list[object]) -> None:
    with DerivedWriter(corpus.path, collection, split, json.dumps([VERSION, *settings])) as writer:
        derive(writer, make_work, engine)
        pairs, kept = sum(len(part.rows) for part in writer.slices), sum(writer.counts.values())
    say(f"{split}: {kept / pairs:.1f} {collection.partition('_')[2]} of a pair, {pairs:,} pairs")
