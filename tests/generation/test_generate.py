"""generate() against the definitions of tests/reference/generation.py, and cases worked by hand."""

import itertools

import numpy as np
import pytest

from tests.generation.steppers import END, PAD, START, VOCAB, Told, told
from tests.reference import generation as slow
from unimo_paddle.errors import UserError
from unimo_paddle.generation import Ids, Trie, generate
from unimo_paddle.task_spec import Decoding

WORD_START = np.arange(VOCAB) % 2 == 1
IDS = Ids(START, END, PAD, WORD_START, banned=(START, PAD))
ORACLES = {
    "greedy": slow.greedy, "beam": slow.release_beam, "diverse": slow.release_diverse, "pool": slow.pool_beam,
}  # fmt: skip
METHODS = {
    "greedy": {"method": "greedy", "length_penalty": 0.9},
    "beam": {"beams": 4},
    "beam of one": {"beams": 1},
    "wide beam": {"beams": 20, "most": 3},   # more beams than first tokens
    "no penalty": {"beams": 3, "length_penalty": 0.0},
    "strong penalty": {"beams": 4, "length_penalty": 2.0},
    "diverse": {"method": "diverse", "beams": 6, "groups": 3, "diversity": 1.5},
    "groups of one": {"method": "diverse", "beams": 3, "groups": 3, "diversity": 0.4},
    "gnmt": {"beams": 4, "normalise": "gnmt", "length_penalty": 1.2},
    "gnmt, shorter is better": {"beams": 3, "normalise": "gnmt", "length_penalty": -0.5},
    "by length": {"beams": 3, "normalise": "length", "length_penalty": 1.0},
}
RULES = {"free": {}, "least": {"least": 3}, "trigrams": {"block_trigrams": True, "most": 11}}


def expect(name, decoding, logits, inputs, answers=None):
    oracle = ORACLES["pool" if decoding.normalise != "release" else decoding.method]
    models = (
        slow.Model(lambda text, source=source: logits(source, text), decoding, IDS, answers)
        for source in range(inputs)
    )
    return [oracle(model) for model in models]


def assert_same(found, expected):
    assert [[one.ids for one in some] for some in found] == [[ids for ids, *_ in some] for some in expected]
    for one, (_, score, log) in zip(itertools.chain(*found), itertools.chain(*expected), strict=True):
        np.testing.assert_allclose((one.score, one.log_probability), (score, log), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", METHODS)
def test_equal_to_the_definition(name, rule):
    ended = cut = 0
    for seed in range(4):
        inputs = (1, 3)[seed % 2]
        logits = told(seed, spread=(1.0, 3.0)[seed // 2])
        decoding = Decoding(**{"most": 7, **RULES[rule], **METHODS[name]}) if rule != "least" or name != "wide beam" \
            else Decoding(most=4, beams=20, least=2)
        found = generate(Told(logits, inputs), decoding, IDS)
        assert_same(found, expect(name, decoding, logits, inputs))
        lengths = [len(one.ids) for some in found for one in some]
        ended += sum(length < decoding.most for length in lengths)
        cut += sum(length == decoding.most for length in lengths)
        assert min(lengths) >= min(decoding.least, decoding.most)
    assert ended and (cut or rule == "free")


@pytest.mark.parametrize("name", ["greedy", "beam", "diverse", "gnmt"])
def test_only_answers_of_a_trie(name):
    rng = np.random.default_rng(8)
    answers = {tuple(rng.integers(3, 8, rng.integers(1, 4)).tolist()) for _ in range(12)}
    trie = Trie.from_token_lists(sorted(answers))
    for seed in range(3):
        decoding = Decoding(**{"most": 4, **METHODS[name]})
        found = generate(Told(told(seed), 2), decoding, IDS, trie)
        assert_same(found, expect(name, decoding, told(seed), 2, answers))
        assert all(one.ids in answers for some in found for one in some)


def test_every_answer_of_a_small_trie_comes_with_the_models_own_probability():
    trie = Trie.from_token_lists([[5], [5, 6], [7]])
    (found,) = generate(Told(told(3), 1), Decoding(beams=9, most=5, length_penalty=0.0), IDS, trie)
    assert {one.ids for one in found} == {(5,), (5, 6), (7,)}
    model = slow.Model(lambda text: told(3)(0, text), Decoding(), IDS)
    assert found[0].score == max(one.score for one in found)
    for one in found:
        text = (*one.ids, END)
        expected = sum(model.logs(text[:place])[token] for place, token in enumerate(text))
        assert one.log_probability == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("more", [{}, {"top_p": 0.5}, {"top_p": 1.0}, {"temperature": 0.6}, {"block_trigrams": True}])
def test_nucleus_equals_its_definition(more):
    decoding = Decoding(method="nucleus", beams=3, most=8, **more)
    for seed in range(3):
        found = generate(Told(told(seed), 2), decoding, IDS, seed=seed)
        models = [slow.Model(lambda text, s=s, seed=seed: told(seed)(s, text), decoding, IDS) for s in range(2)]
        assert_same(found, [slow.nucleus(model, seed, source) for source, model in enumerate(models)])


def test_samples_are_as_frequent_as_they_are_probable():
    """First tokens of many samples against the renormalised nucleus (chi-square of 3 degrees: 16.3 at 0.1 %)."""
    shares = np.array([0.4, 0.3, 0.2, 0.06, 0.04])

    def logits(source, text):
        x = np.full(VOCAB, -30, np.float32)
        x[3:8] = np.log(shares)
        return x

    decoding = Decoding(method="nucleus", beams=4000, most=1, top_p=0.91)
    (found,) = generate(Told(logits, 1), decoding, IDS, seed=5)
    counts = np.bincount([one.ids[0] for one in found], minlength=8)[3:]
    expected = 4000 * shares[:4] / shares[:4].sum()
    assert counts[4] == 0 and ((counts[:4] - expected) ** 2 / expected).sum() < 16.3


def test_a_large_vocabulary_is_searched_in_blocks():
    logits = told(1, vocab=3000)
    ids = Ids(START, END, PAD)
    for decoding in (Decoding(beams=5, most=3), Decoding(method="nucleus", beams=2, most=3, top_p=0.95)):
        found = generate(Told(logits, 1), decoding, ids)
        model = slow.Model(lambda text: logits(0, text), decoding, ids)
        expected = slow.release_beam(model) if decoding.method == "beam" else slow.nucleus(model, 0, 0)
        assert_same(found, [expected])


def test_one_group_is_plain_beam_search():
    for normalise in ("release", "gnmt"):
        beam = Decoding("beam", 4, normalise=normalise, most=6)
        one = Decoding("diverse", 4, normalise=normalise, most=6, groups=1)
        assert generate(Told(told(2), 2), one, IDS) == generate(Told(told(2), 2), beam, IDS)


def test_scores_by_hand():
    """Two tokens and the end: 3 with 0.6 then the end for sure, or the end at once with 0.4."""

    def logits(source, text):
        x = np.full(VOCAB, -np.inf, np.float32)
        if text:
            x[END] = 0.0
        else:
            x[3], x[END] = np.log(0.6), np.log(0.4)
        return x

    (found,) = generate(Told(logits, 1), Decoding(beams=2, length_penalty=1.0, most=5), IDS)
    assert [one.ids for one in found] == [(3,), ()]
    # (5 + 2) / 6 for two tokens, (5 + 1) / 6 for the end alone.
    assert [one.score for one in found] == pytest.approx([np.log(0.6) * 6 / 7, np.log(0.4)])
    assert [one.log_probability for one in found] == pytest.approx([np.log(0.6), np.log(0.4)])


def test_least_counts_tokens_before_the_end():
    def logits(source, text):
        x = np.zeros(VOCAB, np.float32)
        x[END] = 9.0
        return x

    (found,) = generate(Told(logits, 1), Decoding(method="greedy", least=2, most=5), IDS)
    assert found[0].ids == (3, 3)


def test_what_is_finished_leaves_the_batch():
    """Source 0 ends at once, source 1 at the third token: rows asked about are those that go on."""

    def logits(source, text):
        x = np.full(VOCAB, -50.0, np.float32)
        x[END if len(text) == 2 * source else 3] = 0.0
        return x

    stepper = Told(logits, 2)
    generate(stepper, Decoding(method="greedy", most=9), IDS)
    assert stepper.asked == [2, 1, 1]
    stepper = Told(told(1), 3)
    generate(stepper, Decoding(beams=4, most=9), IDS)
    assert stepper.asked[0] == 3 and max(stepper.asked) <= 12 and stepper.asked[-1] < 12


def test_a_pool_stops_as_soon_as_nothing_better_can_come():
    stepper = Told(told(6, spread=4.0), 1)
    generate(stepper, Decoding(beams=2, normalise="gnmt", length_penalty=0.0, most=60), IDS)
    assert len(stepper.asked) < 20


def test_trigrams_of_words_by_hand():
    """Odd tokens open words. The start is part of the first word, so that `4 6` is one word with it."""
    from unimo_paddle.generation.rules import repeating

    def after(*ids):
        return repeating(ids, WORD_START, START)

    assert after(3, 5, 7, 3, 5) == {7}               # 3 5 7 .. 3 5 7
    assert after(3, 5, 7, 4, 3, 5) == set()          # the third word was 7 4 ..
    assert after(3, 5, 7, 4, 3, 5, 7) == {4}         # .. and is again once 4 goes on with it
    assert after(4, 6, 3, 5, 4, 6, 3) == set()       # the first word was start 4 6, not 5 4 6
    assert after(3, 3, 3) == {3}                     # trigrams may overlap
    assert after() == after(3) == set()


def test_samples_do_not_depend_on_the_other_sources():
    decoding = Decoding(method="nucleus", beams=2, most=6)
    alone = generate(Told(told(2), 1), decoding, IDS, seed=4)
    assert generate(Told(told(2), 3), decoding, IDS, seed=4)[:1] == alone
    assert generate(Told(told(2), 1), decoding, IDS, seed=5) != alone


@pytest.mark.parametrize(("settings", "ids", "answers", "message"), [
    ({"method": "best"}, IDS, None, "method 'best' is none of greedy, beam"),
    ({"normalise": "mean"}, IDS, None, "normalise 'mean'"),
    ({"beams": 0}, IDS, None, "beams must be 1 or more, not 0"),
    ({"method": "diverse", "beams": 5, "groups": 2}, IDS, None, "beams 5 cannot be shared by 2 groups"),
    ({"least": 50}, IDS, None, "most 50 must be more than least 50"),
    ({"top_p": 0.0}, IDS, None, "top_p must be above 0"),
    ({"temperature": 0.0}, IDS, None, "temperature must be above 0"),
    ({"diversity": -1.0}, IDS, None, "diversity must be 0 or more"),
    ({"block_trigrams": True}, Ids(0, 2, 1), None, "which tokens open a word"),
    ({}, Ids(0, 2, 1, banned=(2,)), None, "end 2 is among the banned"),
    ({"least": 1}, IDS, [[5]], "least must be 0 where answers are given"),
    ({"most": 3}, IDS, [[5, 6, 7]], "too few for the longest answer, 4 with its end"),
    ({}, IDS, [[5, 2]], r"hold the end or banned ids: \[2\]"),
])  # fmt: skip
def test_settings_without_sense_are_refused(settings, ids, answers, message):
    trie = None if answers is None else Trie.from_token_lists(answers)
    with pytest.raises(UserError, match=message):
        generate(Told(told(0), 1), Decoding(**settings), ids, trie)


@pytest.mark.parametrize(("answers", "message"), [([], "no answers"), ([[3], []], "answer 1 has no tokens")])
def test_a_trie_needs_answers(answers, message):
    with pytest.raises(UserError, match=message):
        Trie.from_token_lists(answers)
