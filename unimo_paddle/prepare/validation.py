"""Checks a whole corpus: what it holds, how well the levels are covered, and what is wrong; shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unimo_paddle.console import progress
from unimo_paddle.corpus import Corpus, Rewrites
from unimo_paddle.corpus_shards import DERIVED, read_shard
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.validation_rows import CHECKS, LEVELS, PROBLEMS, Context, ImageCaptions

EXAMPLES, _BARS = 3, 10   # examples kept of each problem; runs of a histogram
ALL = "all levels"


@dataclass
class Coverage:
    """How many rewrites the pairs of a split have. histograms: kind (a level, ALL, positives) -> count -> pairs."""

    pairs: int
    histograms: dict[str, Counter[int]] = field(default_factory=dict)

    def add(self, rewrites: Rewrites) -> None:
        """Count one pair's."""
        levels = Counter(negative.level for negative in rewrites.negatives)
        found = {**{level: levels[level] for level in (*LEVELS, *levels)}, ALL: len(rewrites.negatives),
                 "positives": len(rewrites.positives)}
        for kind, count in found.items():
            self.histograms.setdefault(kind, Counter())[count] += 1

    def total(self, kind: str) -> int:
        """Return how many there are of a kind."""
        return sum(count * pairs for count, pairs in self.histograms.get(kind, {}).items())

    def share(self, kind: str, least: int) -> float:
        """Return the part of the pairs, 0 to 1, that have at least so many of a kind."""
        reached = sum(pairs for count, pairs in self.histograms.get(kind, {}).items() if count >= least)
        return reached / self.pairs if self.pairs else 0.0


@dataclass
class Report:
    """What was found. counts: split -> collection -> records; problems: kind -> how often; quotas: level -> wanted."""

    corpus: Path
    counts: dict[str, dict[str, int]]
    quotas: dict[str, int]
    coverage: dict[str, Coverage] = field(default_factory=dict)
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is wrong."""
        return not any(self.problems.values())

    def add(self, kind: str, where: str, what: str) -> None:
        """Note one problem; of each kind the first few are kept whole."""
        self.problems[kind] += 1
        if len(self.examples.setdefault(kind, [])) < EXAMPLES:
            self.examples[kind].append(f"{where}: {what:.200}")

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values; keys of histograms are the counts, as text."""
        coverage = {split: {kind: {str(count): pairs for count, pairs in sorted(histogram.items())}
                            for kind, histogram in each.histograms.items()} for split, each in self.coverage.items()}
        return {"corpus": str(self.corpus), "clean": self.is_clean, "counts": self.counts, "quotas": self.quotas,
                "coverage": coverage, "problems": {kind: self.problems[kind] for kind in PROBLEMS},
                "examples": self.examples}

    def lines(self) -> Iterator[str]:
        """Yield the report for a person to read."""
        for split, counts in self.counts.items():
            yield f"{split}: " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
        if not self.coverage:
            yield "no pairs have rewrites yet; make them with: tools/prepare.py rewrite"
        for split, coverage in self.coverage.items():
            yield from ("", f"rewrites of {split}", *coverage_table(coverage, self.quotas),
                        "", "  negatives of a pair", *_histogram(coverage.histograms[ALL], coverage.pairs))
        yield from ("", "checks, all of which should count 0")
        for kind, what in PROBLEMS.items():
            yield f"  {self.problems[kind]:>12,}  {what}"
            yield from (f"                  {example}" for example in self.examples.get(kind, ()))
        yield "the corpus is clean" if self.is_clean else f"{sum(self.problems.values()):,} problems in {self.corpus}"


def validate(corpus_path: Path, quotas: Mapping[str, int] | None = None) -> Report:
    """Check every shard and every row of a corpus; return what was found, nothing is written.

    quotas: level -> negatives wanted of each pair, against which the coverage is told; when None, only how many have
    any. Raises UserError when the folder is no finished corpus. Memory: 32 bytes a pair, and the rows in hand.
    """
    corpus = Corpus(corpus_path)
    report = Report(corpus.path, corpus.manifest.counts(), dict(quotas or {}))
    for fault in corpus.verify():
        report.add("shard", str(corpus.path), fault)
    for split in corpus.splits:
        _check_split(corpus, split, report)
    return report


def _check_split(corpus: Corpus, split: str, report: Report) -> None:
    for collection in ("pairs", "texts", "sentences"):
        _check_texts(corpus, collection, split, report)
    if not len(corpus.pairs(split)):
        return
    try:
        context = Context(ImageCaptions(corpus.pairs(split)), report.counts[split].get("sentences", 0))
    except UserError:
        return   # a damaged shard, which is told already: nothing can be compared with these pairs
    for collection in DERIVED:
        if corpus.has(collection, split):
            _check_rows(corpus, collection, split, context, report)
        elif f"{collection}-{split}" in corpus.manifest.sources:
            report.add("stale", split, f"{collection}; run the same tools/prepare.py {DERIVED[collection]} again")


def _check_texts(corpus: Corpus, collection: str, split: str, report: Report) -> None:
    """Count empty texts, a column of a shard at a time."""
    column, kind = ("caption", "caption") if collection == "pairs" else ("text", "text")
    for shard in corpus.manifest.select(collection, split):
        try:
            batch = read_shard(corpus.path, shard)
        except UserError:
            continue   # told already, by the checksums
        for row, text in enumerate(batch.column(column).to_pylist()):
            if not text.strip():
                report.add(kind, f"{collection} of {split}", f"{batch.column('id')[row].as_py()} is {text!r}")


def _check_rows(corpus: Corpus, collection: str, split: str, context: Context, report: Report) -> None:
    pairs, check = corpus.pairs(split), CHECKS[collection]
    coverage = Coverage(len(pairs))
    try:
        rows = zip(pairs, corpus.derived(collection, split), strict=True)
        for pair, row in progress(rows, len(pairs), f"{collection} of {split}", "pair"):
            if collection == "rewrites":
                coverage.add(row)
            for kind, what in check(pair, row, context):
                report.add(kind, f"{collection} of {split}, pair {pair.id}", what)
    except UserError:
        return   # a damaged shard, which is told already
    if collection == "rewrites":
        report.coverage[split] = coverage


def coverage_table(coverage: Coverage, quotas: Mapping[str, int]) -> Iterator[str]:
    """Yield a table: each kind with its number, per pair, and the part of the pairs with any or the quota."""
    wanted = {**quotas, ALL: sum(quotas.values())} if quotas else {}
    yield f"  {'':<12}{'number':>14}{'a pair':>10}{'with any':>12}" + (f"{'with the quota':>22}" if quotas else "")
    for kind in ("positives", *(kind for kind in coverage.histograms if kind not in ("positives", ALL)), ALL):
        total = coverage.total(kind)
        line = f"  {kind:<12}{total:>14,}{total / coverage.pairs:>10.2f}{_percent(coverage.share(kind, 1)):>12}"
        quota = f"{_percent(coverage.share(kind, wanted[kind]))} ({wanted[kind]})" if kind in wanted else ""
        yield f"{line}{quota:>22}".rstrip()


def _histogram(counts: Counter[int], pairs: int) -> Iterator[str]:
    """Yield a line for the largest number of negatives, for runs of numbers below it, and for none at all."""
    most = max(counts)
    step = max(1, -(-most // _BARS))
    runs = [range(most, most + 1), *(range(max(1, stop - step), stop) for stop in range(most, 1, -step)), range(1)]
    for run in runs[:None if most else 1]:
        here = sum(counts[count] for count in run)
        name = f"{run.start}" if len(run) == 1 else f"{run.start}-{run.stop - 1}"
        if here:
            yield f"  {name:>12}{here:>14,}{_percent(here / pairs):>10}  {'#' * round(40 * here / pairs)}".rstrip()


def _percent(share: float) -> str:
    """Return e.g. `99.9 %`; 100.0 only where it is all of them."""
    return f"{min(100 * share, 99.9) if share < 1 else 100.0:.1f} %"
