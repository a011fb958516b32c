"""The attribute head, its labels and its loss."""

import numpy as np
import paddle
import pytest

from unimo_paddle.vision.attributes import AttributeHead, attribute_loss, label_rows


def test_label_rows() -> None:
    rows = label_rows([(0,), (), (2, 1)], 3)
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]]
    assert label_rows([], 3).shape == (0, 4)


def test_loss_by_hand() -> None:
    """Probabilities 1/2 1/4 1/4: two labels of the first region cost ln 4 each, none of the second ln 2."""
    logits = paddle.to_tensor(np.log(np.float32([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])))
    total, count = attribute_loss(logits, paddle.to_tensor(label_rows([(0, 1), ()], 2)))
    assert float(count) == 3 and float(total) == pytest.approx(2 * np.log(4) + np.log(2))


def test_equal_labels_are_told_apart_by_half() -> None:
    """The best distribution for an object of two attributes gives each a half."""
    targets = paddle.to_tensor(label_rows([(0, 1)], 2))
    losses = [float(attribute_loss(paddle.to_tensor(np.log(np.float32([[1e-6, p, 1 - p]]))), targets)[0])
              for p in (0.3, 0.5, 0.7)]  # fmt: skip
    assert losses[1] < min(losses[0], losses[2])


def test_head_reads_feature_and_class() -> None:
    paddle.seed(0)
    head = AttributeHead(2048, 5, 7)
    shapes = {name: tuple(p.shape) for name, p in head.named_parameters()}
    assert shapes["class_embedding.weight"] == (6, 256) and shapes["hidden.weight"] == (2304, 512)
    assert shapes["score.weight"] == (512, 8)
    feature, classes = paddle.randn([3, 2048]), paddle.to_tensor([0, 0, 4])
    same = paddle.concat([feature[:1], feature[:1], feature[:1]])
    found = head(same, classes).numpy()
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-4
    hidden = np.maximum(
        np.concatenate([feature.numpy(), head.class_embedding.weight.numpy()[[0, 0, 4]]], 1)
        @ head.hidden.weight.numpy() + head.hidden.bias.numpy(), 0
    )  # fmt: skip
    wanted = hidden @ head.score.weight.numpy() + head.score.bias.numpy()
    np.testing.assert_allclose(head(feature, classes).numpy(), wanted, atol=1e-4)


def test_head_learns() -> None:
    """Which attribute a region has depends on its feature in one class, and is none in the other."""
    paddle.seed(0)
    head, rng = AttributeHead(16, 2, 2), np.random.default_rng(0)
    features, classes = rng.normal(0, 1, (64, 16)).astype(np.float32), np.arange(64) % 2
    told = [() if kind else (int(row[0] > 0),) for row, kind in zip(features, classes, strict=True)]
    optimizer = paddle.optimizer.Adam(3e-2, parameters=head.parameters())
    inputs = paddle.to_tensor(features), paddle.to_tensor(classes)
    for _ in range(60):
        total, count = attribute_loss(head(*inputs), paddle.to_tensor(label_rows(told, 2)))
        (total / count).backward()
        optimizer.step()
        optimizer.clear_grad()
    wanted = [0 if not one else one[0] + 1 for one in told]
    assert (head(*inputs).numpy().argmax(1) == wanted).mean() > 0.95
