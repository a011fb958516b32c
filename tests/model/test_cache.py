"""The cached model against the whole one: logits of every step, whichever rows go on."""

import numpy as np
import paddle
import pytest

from tests.model.conftest import FEATURE, VOCAB, inputs_of, make_example
from tests.reference import generation as slow
from unimo_paddle.data.encode import TextRow
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.generation import Ids, generate
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.cache_rows import Rows
from unimo_paddle.model.unimo import Unimo, UnimoForPretraining
from unimo_paddle.task_spec import Decoding

WIDTH, HEADS = 24, 3
SIZES = {
    "pictures": [(3, 0), (5, 0), (2, 0)],
    "texts": [(0, 4), (0, 1), (0, 6)],
    "pictures with tags": [(3, 4), (2, 6), (4, 1), (1, 2)],
    "one": [(2, 3)],
}


@pytest.fixture(params=["plain", "native"])
def model(request):
    """Random weights, so spread that sources and texts make a difference; in training mode, dropout on."""
    if request.param == "native":
        request.getfixturevalue("native")
    rng = np.random.default_rng(0)
    encoder = Unimo(VOCAB, WIDTH, 3, HEADS, FEATURE, 100, 0.1, 0.1, operators=request.param)
    made = UnimoForPretraining(encoder, 5)
    for name, parameter in made.named_parameters():
        is_scale = name.endswith("norm.weight")
        spread = 0.1 if is_scale or name.endswith("bias") else 1.0 if "embedding" in name else 0.5
        parameter.set_value(rng.normal(float(is_scale), spread, parameter.shape).astype(np.float32))
    return made.train()


def sources(name, seed=3):
    rng = np.random.default_rng(seed)
    return [make_example(rng, *size) for size in SIZES[name]]


def started(model, examples):
    sizes = [(0 if image is None else len(image.features), 0 if text is None else len(text.ids))
             for image, text in examples]  # fmt: skip
    return CachedDecoder(model.encoder, model.language_head).start(
        inputs_of(examples, [bidirectional(*size) for size in sizes])
    )


@pytest.mark.parametrize("name", SIZES)
def test_logits_of_every_step_equal_the_whole_models(model, name):
    """Rows split, swap and end at random, so that some sources have many rows, some few, some none."""
    rng, examples = np.random.default_rng(4), sources(name)
    decoder = started(model, examples)
    assert model.training and decoder.inputs == len(examples)
    model.eval()
    whole = [slow.full_model(model, *example) for example in examples]
    rows = [(source, ()) for source in range(len(examples))]
    for number in range(7):
        tokens = np.array([text[-1] if text else 0 for _, text in rows], np.int64)
        found = decoder.step(tokens, 2 + number)
        expected = np.stack([whole[source](text) for source, text in rows])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
        parents = np.sort(rng.integers(0, len(rows), rng.integers(1, 9)))
        parents = parents[np.argsort([rows[parent][0] for parent in parents], kind="stable")]
        decoder.keep(parents)
        rows = [(rows[p][0], (*rows[p][1], int(rng.integers(0, VOCAB)))) for p in parents]


def test_room_grows(model):
    decoder = started(model, sources("one"))
    model.eval()
    whole, text = slow.full_model(model, *sources("one")[0]), ()
    decoder.keep(np.zeros(4, np.int64))
    for number in range(40):   # 160 slots: twice more than there were
        found = decoder.step(np.full(4, text[-1] if text else 0, np.int64), 2 + number)
        text = (*text, number % VOCAB)
    np.testing.assert_allclose(found, np.stack([whole(text[:-1])] * 4), atol=1e-4)


METHODS = {
    "greedy": ({"method": "greedy"}, slow.greedy),
    "beam": ({"beams": 4, "block_trigrams": True, "least": 2}, slow.release_beam),
    "gnmt": ({"beams": 3, "normalise": "gnmt"}, slow.pool_beam),
    "diverse": ({"method": "diverse", "beams": 4, "groups": 2}, slow.release_diverse),
    "nucleus": ({"method": "nucleus", "beams": 3, "top_p": 0.8}, None),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["pictures with tags", "texts"])
def test_texts_and_scores_equal_those_without_a_cache(model, name, method):
    settings, oracle = METHODS[method]
    decoding = Decoding(**{"most": 7, **settings})
    ids = Ids(0, 2, 1, np.arange(VOCAB) % 3 == 0, banned=(0, 1))
    for seed in (3, 5):
        examples = sources(name, seed)
        found = generate(started(model, examples), decoding, ids, seed=seed)
        model.eval()
        for source, example in list(enumerate(examples))[:3]:
            rules = slow.Model(slow.full_model(model, *example), decoding, ids)
            expected = oracle(rules) if oracle else slow.nucleus(rules, seed, source)
            assert [one.ids for one in found[source]] == [text for text, *_ in expected]
            scores = [(score, log) for _, score, log in expected]
            np.testing.assert_allclose([(one.score, one.log_probability) for one in found[source]], scores, rtol=2e-4)
        assert len({some[0].ids for some in found}) > 1


def test_a_decoder_starts_afresh(model):
    decoder, (first, second) = started(model, sources("one", 1)), (sources("one", 1), sources("one", 2))
    ids, decoding = Ids(0, 2, 1), Decoding(beams=3, most=5)
    expected = generate(decoder, decoding, ids)
    assert generate(started(model, second), decoding, ids) != expected
    assert generate(decoder.start(inputs_of(first, [bidirectional(2, 3)])), decoding, ids) == expected


def test_rows_by_hand():
    rows = Rows(2)
    rows.add()
    rows.keep(np.array([0, 0, 1]))
    rows.add()
    assert rows.slots.tolist() == [[0, 2], [0, 3], [1, 4]] and rows.used == 5
    rows.keep(np.array([1, 2]))
    assert rows.slots.tolist() == [[0, 3], [1, 4]] and rows.source.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"parents \[1, 0\] mix the sources' order: \[1, 0\]"):
        rows.keep(np.array([1, 0]))


def test_source_rows_are_read_in_their_own_positions(model):
    """Two texts of the same ids but other positions are other sources."""
    one = TextRow(np.array([0, 5, 6, 2]), np.array([2, 3, 4, 5]), np.ones(4, bool))
    other = TextRow(one.ids, np.array([2, 3, 3, 4]), one.word_start)
    found = started(model, [(None, one), (None, other)]).step(np.zeros(2, np.int64), 2)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert paddle.is_grad_enabled()
