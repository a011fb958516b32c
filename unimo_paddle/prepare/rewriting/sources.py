"""The paraphraser that the settings of a corpus ask for."""

from __future__ import annotations

from pathlib import Path

from unimo_paddle.config import CorpusPlan
from unimo_paddle.console import say
from unimo_paddle.prepare.rewriting.back_translation import make_translators
from unimo_paddle.prepare.rewriting.human_translation import HumanTranslations, read_translations, ways_back
from unimo_paddle.prepare.rewriting.paraphrase import Paraphraser
from unimo_paddle.prepare.rewriting.wordnet import WordNet
from unimo_paddle.prepare.sentence_encoder import load_sentence_encoder, minilm_folder


def check_sources(plan: CorpusPlan, translations: Path | None) -> None:
    """Raise UserError for what rewriting would miss only after hours: a program, a model, WordNet, a file."""
    WordNet()
    make_translators(plan.positives.translators)
    if plan.encoder:
        load_sentence_encoder(plan.encoder)
    elif plan.positives.translators or translations:
        minilm_folder()
    if translations:
        say(f"{len(read_translations(translations)):,} texts with human translations in {translations}")


def make_paraphraser(plan: CorpusPlan, translations: Path | None) -> Paraphraser:
    """Return it; UserError for a translator that is not installed, or human translations that cannot be read."""
    human = None
    if translations:
        found = read_translations(translations)
        languages = sorted({language for given in found.values() for language in given})
        human = HumanTranslations(found, ways_back(languages))
    return Paraphraser(make_translators(plan.positives.translators), load_sentence_encoder(plan.encoder), WordNet(),
                       human, plan.positives.count, plan.positives.similarity)
