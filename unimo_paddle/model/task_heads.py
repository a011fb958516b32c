"""What turns pooled vectors into a task's answer (release, section 6). B sequences, H width, C answers."""

from __future__ import annotations

import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo_paddle.model.heads import Poolers
from unimo_paddle.model.layers import linear

TEXT, SUM, PRODUCT = "text", "sum", "product"


class AnswerHead(nn.Layer):
    """C numbers for a sequence, from its text's vector, or from the sum or product of its text's and image's vectors.

    inner: width of a linear layer before the last one, without an activation between; dropout stands before the
    last layer in either case.  Raises ValueError for another name of `pooled`.
    """

    def __init__(self, width: int, outputs: int, pooled: str, inner: int | None, dropout: float) -> None:
        super().__init__()
        if pooled not in (TEXT, SUM, PRODUCT):
            raise ValueError(f"pooled is {pooled!r}; it is one of {TEXT}, {SUM}, {PRODUCT}")
        self.pooled, self.dropout = pooled, dropout
        self.inner = linear(width, inner) if inner else None
        self.output = linear(inner or width, outputs)

    def forward(self, image: Tensor, text: Tensor, poolers: Poolers) -> Tensor:
        """Return float [B, C]. image: states [B, R, H], of no use where the text alone is pooled; text: [B, T, H]."""
        vector = self.pool(image, text, poolers)
        if self.inner is not None:
            vector = self.inner(vector)
        return self.output(F.dropout(vector, self.dropout, training=self.training))

    def pool(self, image: Tensor, text: Tensor, poolers: Poolers) -> Tensor:
        """Return the vector that answers are read from, float [B, H]."""
        of_text = poolers.pool_text(text)
        if self.pooled == TEXT:
            return of_text
        of_image = poolers.pool_image(image)
        return of_image + of_text if self.pooled == SUM else of_image * of_text
