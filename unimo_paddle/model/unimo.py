"""UNIMO: one Transformer for images, texts and both together (release, section 2; paper, section 1).

Legend: B batch, R image rows (the whole image first), T text tokens, S = R + T, H width, D feature width,
A heads, M labelled tokens, K labelled regions, V vocabulary, C region classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo_paddle.distributed import recomputed
from unimo_paddle.model.attention_mask import additive_bias, attention_mask
from unimo_paddle.model.heads import LanguageHead, MatchHead, Poolers, RegionClassifier, RegionRegression
from unimo_paddle.model.inputs import Inputs
from unimo_paddle.model.layers import embedding, encoder_layer, linear
from unimo_paddle.model.model_folder import LOCATION_WIDTH, ModelSizes


@dataclass(frozen=True)
class States:
    """The last layer's hidden states, cut back into parts: image float [B, R, H], text float [B, T, H]."""

    image: Tensor
    text: Tensor


class Unimo(nn.Layer):
    """The encoder: words and regions into one sequence, through `layers` post-LayerNorm layers.

    feature_width: D of the detector's features; max_positions: rows of the position table, of which the
    first two are never a token's (RoBERTa's custom); the dropouts act in training mode only.  operators: plain or
    native (unimo_paddle/operators).  recompute: in training keep of each layer only its input for the gradient, and
    compute the layer a second time then: the same numbers for less memory and a third more time.
    """

    def __init__(
        self,
        vocab_size: int,
        width: int,
        layers: int,
        heads: int,
        feature_width: int,
        max_positions: int = 514,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        operators: str = "plain",
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.operators, self.recompute = operators, recompute
        self.vocab_size, self.width, self.heads, self.feature_width = vocab_size, width, heads, feature_width
        self.dropout = dropout
        self.word_embedding = embedding(vocab_size, width)
        self.position_embedding = embedding(max_positions, width)
        self.text_norm = nn.LayerNorm(width)
        self.image_projection = linear(feature_width, width)
        self.location_projection = linear(LOCATION_WIDTH, width)
        self.image_norm = nn.LayerNorm(width)
        self.layers = nn.LayerList(
            [encoder_layer(width, heads, dropout, attention_dropout, operators) for _ in range(layers)]
        )

    def forward(self, seqs: Inputs) -> States:
        """Return the states of all rows; those of padded rows are finite and mean nothing."""
        regions, tokens = seqs.features.shape[1], seqs.token_ids.shape[1]
        x_BSH = self.embed(seqs)
        mask = attention_mask(seqs.reach, seqs.is_pad, seqs.group)
        # Native attention takes one plane for all heads.
        bias_BASS = additive_bias(mask, self.heads if self.operators == "plain" else 1, x_BSH.dtype)
        for layer in self.layers:
            x_BSH = self.apply_layer(layer, x_BSH, bias_BASS)
        if regions and tokens:
            return States(*paddle.split(x_BSH, [regions, tokens], axis=1))
        nothing = paddle.zeros([x_BSH.shape[0], 0, self.width], x_BSH.dtype)
        return States(x_BSH, nothing) if regions else States(nothing, x_BSH)

    def apply_layer(self, layer: Callable[..., Tensor], x_BSH: Tensor, bias_BASS: Tensor) -> Tensor:
        """Return a layer's output, float [B, S, H]. Processes that share layers put their own step before it
        (engine/sharded.py)."""
        again = self.recompute and self.training
        return recomputed(layer, x_BSH, bias_BASS) if again else layer(x_BSH, bias_BASS)

    def embed(self, seqs: Inputs) -> Tensor:
        """Return the first layer's input, float [B, S, H]; an absent part is left out, for Paddle's gradients
        of tensors without elements fail."""
        parts = []
        if seqs.features.shape[1]:
            image = self.embed_image(seqs.features, seqs.locations)
            parts.append(image if seqs.image_of is None else paddle.gather(image, seqs.image_of))
        if seqs.token_ids.shape[1]:
            parts.append(self.embed_text(seqs.token_ids, seqs.positions))
        x_BSH = parts[0] if len(parts) == 1 else paddle.concat(parts, axis=1)
        # Dropout is by element, so one call after joining is the release's two before it.
        return F.dropout(x_BSH, self.dropout, training=self.training)

    def center_images(self, mean: Tensor, spread: Tensor) -> None:
        """Let the untrained image projection see features as if they had mean 0 and deviation 1 in each number.

        mean, spread: float [D], over many regions. A detector's features are rectified, so most of each is the same for
        all regions; from plain random weights, images start out so alike that the words have long settled before the
        regions say anything. Only the start changes, not the function: (f - mean) / spread is linear in f.
        """
        weight = self.image_projection.weight / spread.unsqueeze(1)
        self.image_projection.weight.set_value(weight)
        self.image_projection.bias.set_value(-paddle.matmul(mean, weight))

    def embed_image(self, features: Tensor, locations: Tensor) -> Tensor:
        """Return float [B, R, H] before dropout. features: float [B, R, D]; locations: float [B, R, 5]."""
        return self.image_norm(self.image_projection(features) + self.location_projection(locations))

    def embed_text(self, token_ids: Tensor, positions: Tensor) -> Tensor:
        """Return float [B, T, H] before dropout. token_ids, positions: int64 [B, T]."""
        return self.text_norm(self.word_embedding(token_ids) + self.position_embedding(positions))


class UnimoForPretraining(nn.Layer):
    """The encoder with the heads of all pretraining objectives; classes: C, background included."""

    def __init__(self, encoder: Unimo, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.language_head = LanguageHead(encoder.vocab_size, encoder.width, encoder.operators)
        self.region_regression = RegionRegression(encoder.width, encoder.feature_width)
        self.region_classifier = RegionClassifier(encoder.width, classes)
        self.poolers = Poolers(encoder.width)
        self.match_head = MatchHead(encoder.width, encoder.dropout)

    def forward(self, seqs: Inputs) -> States:
        """Return the encoder's states."""
        return self.encoder(seqs)

    def language_logits(self, states: States, rows: Tensor) -> Tensor:
        """Return word logits, float [M, V], of the labelled tokens only: the whole [B, T, V] costs twice the step.

        rows: int64 [M], flat indices into B * T.
        """
        return self.language_head(take_rows(states.text, rows), self.encoder.word_embedding.weight)

    def region_outputs(self, states: States, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the labelled regions' features, float [K, D], and class logits, float [K, C].

        rows: int64 [K], flat indices into B * R.
        """
        hidden = take_rows(states.image, rows)
        return self.region_regression(hidden), self.region_classifier(hidden)

    def match_scores(self, states: States) -> Tensor:
        """Return float [B]: how well each sequence's own image and text match, having read each other."""
        return self.match_scores_separate(states, states)

    def match_scores_separate(self, image_states: States, text_states: States) -> Tensor:
        """Return float [B] for image b of the one against text b of the other, encoded apart (paper, section 2)."""
        image = self.poolers.pool_image(image_states.image)
        return self.match_head(image, self.poolers.pool_text(text_states.text))


def take_rows(states: Tensor, rows: Tensor) -> Tensor:
    """Return float [M, H]: the rows at flat indices `rows`, int64 [M], of states, float [B, N, H]."""
    return paddle.gather(states.reshape([-1, states.shape[2]]), rows)


def sizes_of(model: UnimoForPretraining) -> ModelSizes:
    """Return the numbers that a checkpoint needs beside its weights to be converted or started from."""
    encoder = model.encoder
    return ModelSizes(
        vocab_size=encoder.vocab_size,
        width=encoder.width,
        layers=len(encoder.layers),
        heads=encoder.heads,
        max_positions=encoder.position_embedding.weight.shape[0],
        feature_width=encoder.feature_width,
        classes=model.region_classifier.projection.weight.shape[1],
    )


def parameter_count(vocab_size: int, width: int, layers: int, feature_width: int, max_positions: int = 514) -> int:
    """Return how many numbers `Unimo` learns: 125,634,048 for base and 356.42 million for large."""
    norm = 2 * width
    text = (vocab_size + max_positions) * width + norm
    image = (feature_width + 1) * width + (LOCATION_WIDTH + 1) * width + norm
    attention = 4 * (width + 1) * width + norm
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width + norm
    return text + image + layers * (attention + feed_forward)
