"""What turns hidden states into answers (release, section 2, "Heads"; paper, sections 2 to 4).

M labelled tokens, K labelled regions, H width, V vocabulary, D feature width, C classes.
"""

from __future__ import annotations

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo_paddle.model.layers import linear
from unimo_paddle.operators import native


class LanguageHead(nn.Layer):
    """Linear, GELU, LayerNorm, then the product with the word table itself (tied weights).

    operators: "plain" Paddle's, or our "native" ones (see layers.encoder_layer).
    """

    def __init__(self, vocab_size: int, width: int, operators: str = "plain") -> None:
        super().__init__()
        self.is_native = operators == "native"
        self.transform = linear(width, width)
        # The release starts this one LayerNorm's bias at 1, and no other.
        self.norm = nn.LayerNorm(width, bias_attr=paddle.ParamAttr(initializer=nn.initializer.Constant(1.0)))
        self.bias = self.create_parameter([vocab_size], is_bias=True)

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Return logits, float [M, V]. hidden: float [M, H]; table: float [V, H], the word embedding."""
        inner = native.linear_gelu(hidden, self.transform) if self.is_native else F.gelu(self.transform(hidden))
        products = paddle.matmul(self.norm(inner), table, transpose_y=True)
        return native.add_bias(products, self.bias) if self.is_native else products + self.bias


class RegionRegression(nn.Layer):
    """Hidden state of a region back to the detector's feature."""

    def __init__(self, width: int, feature_width: int) -> None:
        super().__init__()
        self.projection = linear(width, feature_width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return features, float [K, D]. hidden: float [K, H]."""
        return self.projection(hidden)


class RegionClassifier(nn.Layer):
    """Hidden state of a region to the detector's classes, background included."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.projection = linear(width, classes)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return logits, float [K, C]. hidden: float [K, H]."""
        return self.projection(hidden)


class Poolers(nn.Layer):
    """One vector each for an image and a text: Linear and ReLU (not tanh) of the first row's state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text = linear(width, width)
        self.image = linear(width, width)

    def pool_image(self, image: Tensor) -> Tensor:
        """Return float [B, H] from the whole-image row of image states, float [B, R, H]."""
        return F.relu(self.image(image[:, 0]))

    def pool_text(self, text: Tensor) -> Tensor:
        """Return float [B, H] from the [CLS] row of text states, float [B, T, H]."""
        return F.relu(self.text(text[:, 0]))


class MatchHead(nn.Layer):
    """How well an image and a text belong together: product, dropout, one number.

    Its weight starts as Xavier's rule has it (release, section 6), not at 0.02 as all others: from there the products
    of two pooled vectors, which start small, would hardly move the score. The bias shifts all scores alike.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.score = nn.Linear(width, 1, weight_attr=nn.initializer.XavierUniform())

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        """Return scores, float [B], without bound. image, text: pooled, float [B, H]."""
        product = F.dropout(image * text, self.dropout, training=self.training)
        return self.score(product).squeeze(1)

    def all_pairs(self, image: Tensor, text: Tensor) -> Tensor:
        """Return the scores of every image with every text, float [I, T]. image, text: pooled, [I, H] and [T, H].

        The sum over H of image * text * weight is one matrix product.
        """
        weighted = F.dropout(image * self.score.weight[:, 0], self.dropout, training=self.training)
        return paddle.matmul(weighted, text, transpose_y=True) + self.score.bias
