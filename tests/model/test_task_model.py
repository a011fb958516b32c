"""Heads of tasks by hand, what they share with pretraining, roles and turns, and deltas."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from tests.tasks.small_batch import FEATURES
from tests.tasks.task_parts import SHAPES_OF, VOCABULARY, WIDTH, make_generate, make_model, understood
from unimo_paddle.errors import UserError
from unimo_paddle.model.inputs import first_rows, to_tensors
from unimo_paddle.model.loading import start_from
from unimo_paddle.model.task_heads import AnswerHead
from unimo_paddle.model.task_model import ANSWER, HeadShape
from unimo_paddle.model.unimo import States, Unimo, UnimoForPretraining, encoder_sizes


class Given:
    """Poolers that hand back first rows."""

    def pool_image(self, image):
        return image[:, 0]

    def pool_text(self, text):
        return text[:, 0]


IMAGE, TEXT = paddle.to_tensor([[[1.0, 2.0]]]), paddle.to_tensor([[[3.0, -1.0]]])


@pytest.mark.parametrize("pooled, vector", [("text", [3, -1]), ("sum", [4, 1]), ("product", [3, -2])])
def test_what_is_pooled(pooled, vector):
    assert AnswerHead(2, 3, pooled, None, 0.0).pool(IMAGE, TEXT, Given()).tolist() == [vector]


def test_the_inner_layer_has_no_activation():
    head = AnswerHead(2, 1, "sum", 3, 0.0)
    head.inner.weight.set_value(paddle.to_tensor([[-1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]))
    head.inner.bias.set_value(paddle.to_tensor([0.0, -3.0, 0.5]))
    head.output.weight.set_value(paddle.to_tensor([[1.0], [10.0], [100.0]]))
    # (4, 1): -4, -2 and 8.5; a ReLU would have cut the first two
    assert head(IMAGE, TEXT, Given()).tolist() == [[-4.0 - 20.0 + 850.0]]


def test_dropout_stands_before_the_last_layer():
    paddle.seed(1)
    head = AnswerHead(2, 1, "text", 64, 0.5)
    head.inner.weight.set_value(paddle.ones([2, 64]))
    head.output.weight.set_value(paddle.ones([64, 1]))
    found = {round(float(head(IMAGE, TEXT, Given()))) for _ in range(8)}
    # 64 inner numbers of 2, each gone or doubled
    assert len(found) > 2
    assert all(value % 4 == 0 for value in found)
    head.eval()
    assert float(head(IMAGE, TEXT, Given())) == 128.0


def test_an_unknown_way_to_pool_is_refused():
    with pytest.raises(ValueError, match="pooled is 'mean'; it is one of text, sum, product"):
        AnswerHead(2, 1, "mean", None, 0.0)


@pytest.mark.parametrize("name", SHAPES_OF)
def test_names_are_those_of_pretraining(name):
    own = set(make_model(SHAPES_OF[name][1]).state_dict())
    shared = set(UnimoForPretraining(Unimo(VOCABULARY, WIDTH, 2, 2, FEATURES, 40), 5).state_dict())
    new = {"encoder.role_embedding.weight", "encoder.turn_embedding.weight"} if name == "dialogue" else set()
    if name in ("class", "words alone", "number", "answer"):
        new = {one for one in own if one.startswith("answer.")}
    assert own - shared == new
    assert bool(new) == (name not in ("match", "generate"))


def test_first_rows_are_enough():
    model, sequences = make_model(SHAPES_OF["class"][1]), understood()
    model.eval()
    inputs = to_tensors(sequences)
    few, all_rows = model(inputs, first_rows(sequences)), model(inputs)
    np.testing.assert_allclose(model.answers(few).numpy(), model.answers(all_rows).numpy(), atol=1e-6)


def test_scores_of_a_pair_are_those_of_pretraining():
    paddle.seed(2)
    model = make_model(SHAPES_OF["match"][1])
    image, text = paddle.randn([2, 1, WIDTH]), paddle.randn([2, 1, WIDTH])
    pooled = model.poolers.pool_image(image) * model.poolers.pool_text(text)
    by_hand = model.match_head.score(pooled)[:, 0]
    np.testing.assert_allclose(model.match_scores(States(image, text)).numpy(), by_hand.numpy(), rtol=1e-6)


def test_sizes():
    sizes = encoder_sizes(make_model(SHAPES_OF["class"][1]).encoder)
    assert (sizes.vocab_size, sizes.width, sizes.layers, sizes.heads) == (VOCABULARY, WIDTH, 2, 2)
    assert (sizes.max_positions, sizes.feature_width, sizes.classes) == (40, FEATURES, None)


def test_roles_and_turns_are_added_to_words_and_positions():
    model = make_model(SHAPES_OF["dialogue"][1])
    encoder, ids = model.encoder, paddle.to_tensor([[4, 5]])
    assert (encoder.role_embedding.weight.shape, encoder.turn_embedding.weight.shape) == ([3, WIDTH], [16, WIDTH])
    positions, roles, turns = paddle.to_tensor([[2, 3]]), paddle.to_tensor([[2, 1]]), paddle.to_tensor([[0, 15]])
    tables = (encoder.word_embedding, encoder.position_embedding, encoder.role_embedding, encoder.turn_embedding)
    summed = sum(
        table.weight.numpy()[places.numpy()]
        for table, places in zip(tables, (ids, positions, roles, turns), strict=True)
    )
    expected = encoder.text_norm(paddle.to_tensor(summed))
    found = encoder.embed_text(ids, positions, roles, turns)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)
    nobody = paddle.zeros_like(ids)
    answer = encoder.embed_text(ids, positions, nobody, nobody)
    assert np.array_equal(encoder.embed_text(ids, positions).numpy(), answer.numpy())


def test_roles_and_turns_of_a_batch_are_read():
    model, part = make_model(SHAPES_OF["dialogue"][1]), make_generate(dialogue=True)
    model.eval()
    inputs = to_tensors(part.sequences)
    other = replace(inputs, turns=paddle.zeros_like(inputs.turns))
    assert np.abs(model(inputs).text.numpy() - model(other).text.numpy()).max() > 1e-4


def test_deltas_are_added_where_they_should():
    encoder = make_model(SHAPES_OF["class"][1]).encoder
    encoder.eval()
    inputs = to_tensors(understood())
    batch, words = inputs.token_ids.shape
    text_delta, image_delta = paddle.randn([batch, words, WIDTH]), paddle.randn(inputs.features.shape)
    regions = inputs.features.shape[1]
    found = encoder.embed(replace(inputs, text_delta=text_delta, image_delta=image_delta))
    plain = encoder.word_embedding(inputs.token_ids) + encoder.position_embedding(inputs.positions)
    text, image = (
        encoder.text_norm(plain + text_delta),
        encoder.embed_image(inputs.features + image_delta, inputs.locations),
    )
    np.testing.assert_allclose(found[:, regions:].numpy(), text.numpy(), atol=1e-6)
    np.testing.assert_allclose(found[:, :regions].numpy(), image.numpy(), atol=1e-6)


def arrays(model):
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def test_pretraining_starts_every_task(tmp_path):
    told = arrays(UnimoForPretraining(Unimo(VOCABULARY, WIDTH, 2, 2, FEATURES, 40), 5))
    for name, (_, shape) in SHAPES_OF.items():
        model = make_model(shape)
        fresh = start_from(model, told, tmp_path)
        assert fresh == [one for one in model.state_dict() if one not in told], name
        assert np.array_equal(model.encoder.word_embedding.weight.numpy(), told["encoder.word_embedding.weight"])


def test_another_tasks_classes_start_anew_and_an_encoder_that_does_not_fit_is_refused(tmp_path):
    told = arrays(make_model(HeadShape(ANSWER, 3)))
    number = make_model(HeadShape(ANSWER, 1))
    assert start_from(number, told, tmp_path) == ["answer.output.weight", "answer.output.bias"]
    same = make_model(HeadShape(ANSWER, 3))
    assert start_from(same, told, tmp_path) == []
    assert np.array_equal(same.answer.output.weight.numpy(), told["answer.output.weight"])
    told["encoder.text_norm.bias"] = np.zeros(3, np.float32)
    with pytest.raises(UserError, match=r"encoder.text_norm.bias: is \[3\], the model has \[16\]"):
        start_from(number, told, tmp_path)
