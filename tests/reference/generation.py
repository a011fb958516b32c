"""Generation from its definitions, one text at a time, over a function: a text's ids -> its next logits, float [V].

The end is a token like any other here; texts are tuples that hold it. Nothing is cached, nothing cut short.
"""

import math

import numpy as np

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.patterns import image_prefix
from unimo_paddle.model.inputs import to_tensors

REPEATED = -65000.0


def full_model(model, image, source, start=0):
    """The next logits by the whole model, nothing cached. image: ImageRow or None; source: TextRow or None."""
    regions = 0 if image is None else len(image.features)
    source = TextRow(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)) if source is None else source

    def logits(text):
        target = np.array([start, *text])
        ids = np.concatenate((source.ids, target))
        positions = np.concatenate((source.positions, np.arange(2, 2 + len(target))))
        row = TextRow(ids, positions, np.ones(len(ids), bool))
        pattern = image_prefix(regions, len(source.ids), len(target))
        states = model(to_tensors(pad([] if image is None else [image], [row], [pattern])))
        return model.language_head(states.text[0, -1:], model.encoder.word_embedding.weight).numpy()[0]

    return logits


def words_of(text, word_start, start):
    """The words of a text as tuples, the start token being part of the first."""
    words = [[start]]
    for token in text:
        if word_start[token]:
            words.append([])
        words[-1].append(token)
    return [tuple(word) for word in words]


def repeats(text, word_start, start):
    """Whether the last three words stand somewhere before as well."""
    words = words_of(text, word_start, start)
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    return bool(trigrams) and trigrams[-1] in trigrams[:-1]


class Model:
    """A model with its rules: logs(text) are the next tokens' log-probabilities, float64 [V]."""

    def __init__(self, logits, decoding, ids, answers=None):
        self.logits, self.at, self.ids, self.answers = logits, decoding, ids, answers

    def logs(self, text):
        x = self.logits(text).astype(np.float64)
        x[list(self.ids.banned)] = -np.inf
        if len(text) < self.at.least:
            x[self.ids.end] = -np.inf
        x = x - x.max()
        logs = x - np.log(np.exp(x).sum())
        for token in range(len(logs)):
            if self.at.block_trigrams and repeats((*text, token), self.ids.word_start, self.ids.start):
                logs[token] += REPEATED
            if self.answers is not None and not self.begins_an_answer((*text, token)):
                logs[token] = -np.inf
        return logs

    def begins_an_answer(self, text):
        return any((*answer, self.ids.end)[: len(text)] == text for answer in self.answers)

    def ends(self, text):
        return bool(text) and text[-1] == self.ids.end

    def divisor(self, length):
        return (length if self.at.normalise == "length" else (5 + length) / 6) ** self.at.length_penalty

    def answer(self, text, log):
        ids = text[:-1] if self.ends(text) else text
        return ids, log / self.divisor(len(text)), log


def greedy(model):
    text, log = (), 0.0
    while len(text) < model.at.most and not model.ends(text):
        logs = model.logs(text)
        text, log = (*text, int(logs.argmax())), log + logs.max()
    return [model.answer(text, log)]


def release_step(model, beams, count, used):
    """One step of the release's beam search over (text, normalised score, log-probability); used: a token's penalty."""
    rivals = [beam for beam in beams if model.ends(beam[0])]
    for text, score, _ in beams:
        if model.ends(text):
            continue
        # The previous score is multiplied back.
        log = score * model.divisor(len(text)) if text else 0.0
        for token, more in enumerate(model.logs(text)):
            whole = log + more
            rivals.append(((*text, token), whole / model.divisor(len(text) + 1), whole, used.get(token, 0.0)))
    possible = [rival for rival in rivals if rival[1] > -math.inf]

    def rank(rival):
        return rival[1] - (rival[3] / model.divisor(len(rival[0])) if len(rival) > 3 else 0.0)

    return [rival[:3] for rival in sorted(possible, key=rank, reverse=True)[:count]]


def release_beam(model):
    beams = [((), 0.0, 0.0)]
    for _ in range(model.at.most):
        beams = release_step(model, beams, model.at.beams, {})
    return [model.answer(text, log) for text, _, log in sorted(beams, key=lambda beam: -beam[1])]


def release_diverse(model):
    """Groups step in turn; a token costs `diversity` for each earlier group's text that was given it in this step."""
    size = model.at.beams // model.at.groups
    groups = [[((), 0.0, 0.0)] for _ in range(model.at.groups)]
    for length in range(1, model.at.most + 1):
        used = {}
        for number, beams in enumerate(groups):
            groups[number] = release_step(model, beams, size, dict(used))
            for text, *_ in groups[number]:
                if len(text) == length:   # shorter ones were finished before
                    used[text[-1]] = used.get(text[-1], 0.0) + model.at.diversity
    beams = sorted((beam for beams in groups for beam in beams), key=lambda beam: -beam[1])
    return [model.answer(text, log) for text, _, log in beams]


def pool_beam(model):
    """Live texts by log-probability, finished ones ranked by their normalised one; never ended early."""
    live, pool = [((), 0.0)], []
    for length in range(1, model.at.most + 1):
        found = [((*text, token), log + more) for text, log in live for token, more in enumerate(model.logs(text))]
        found = sorted((one for one in found if one[1] > -math.inf), key=lambda one: -one[1])[: 2 * model.at.beams]
        is_over = [model.ends(text) or length == model.at.most for text, _ in found]
        pool += [one for place, one in enumerate(found) if is_over[place] and place < model.at.beams]
        live = [one for place, one in enumerate(found) if not is_over[place]][: model.at.beams]
    pool.sort(key=lambda one: -one[1] / model.divisor(len(one[0])))
    return [model.answer(text, log) for text, log in pool[: model.at.beams]]


def nucleus(model, seed, source):
    """Each sample from the generator of (seed, source, sample), one number a token."""
    found = []
    for sample in range(model.at.beams):
        rng, text, log = np.random.default_rng((seed, source, sample)), (), 0.0
        while len(text) < model.at.most and not model.ends(text):
            logs = model.logs(text)
            shares = np.exp(logs / model.at.temperature)
            shares /= shares.sum()
            order = np.argsort(-shares, kind="stable")
            inside, total = [], 0.0
            for token in order:   # the smallest set that holds top_p
                if total >= model.at.top_p:
                    break
                inside.append(token)
                total += shares[token]
            point, below = rng.random() * total, 0.0
            for token in inside:
                below += shares[token]
                if point < below:
                    break
            text, log = (*text, int(token)), log + logs[token]
        found.append(model.answer(text, log))
    return sorted(found, key=lambda one: -one[1])
