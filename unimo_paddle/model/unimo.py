"""UNIMO: one Transformer for images, texts and both together (release, section 2; paper, section 1).

Legend: B batch, R image rows (the whole image first), T text tokens, S = R + T, H width, D feature width,
A heads, M labelled tokens, K labelled regions, V vocabulary, C region classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from unimo_paddle.distributed import recomputed
from unimo_paddle.model.attention_mask import additive_bias, attention_mask
from unimo_paddle.model.heads import LanguageHead, MatchHead, Poolers, RegionClassifier, RegionRegression
from unimo_paddle.model.inputs import Inputs, Read
from unimo_paddle.model.layers import embedding, encoder_layer, linear, take_rows
from unimo_paddle.model.model_folder import LOCATION_WIDTH, ModelSizes
from unimo_paddle.operators import native

ROLES, TURNS = 3, 16   # of a dialogue (release, section 5.2)


@dataclass(frozen=True)
class States:
    """The last layer's hidden states, cut back into parts: image float [B, R, H], text float [B, T, H]; or of the rows
    that are read alone, [.., H] each, shaped as Read says. table: the word table that the language head is to read,
    float [V, H], None for the encoder's own (native.tied_words)."""

    image: Tensor
    text: Tensor
    table: Tensor | None = None


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
        self.role_embedding: nn.Embedding | None = None
        self.turn_embedding: nn.Embedding | None = None
        self.text_norm = nn.LayerNorm(width)
        self.image_projection = linear(feature_width, width)
        self.location_projection = linear(LOCATION_WIDTH, width)
        self.image_norm = nn.LayerNorm(width)
        self.layers = nn.LayerList(
            [encoder_layer(width, heads, dropout, attention_dropout, operators) for _ in range(layers)]
        )

    def forward(self, seqs: Inputs, read: Read | None = None) -> States:
        """Return the states of all rows, those of padded rows finite and without meaning; or of the rows read alone."""
        words, table = self._tied_words(seqs)
        x_BSH = self.embed(seqs, words)
        mask = attention_mask(seqs.reach, seqs.is_pad, seqs.group)
        # Native attention takes one plane for all heads.
        heads = self.heads if self.operators == "plain" else 1
        bias_BASS = additive_bias(mask, heads, x_BSH.dtype)
        *lower, last = self.layers
        for layer in lower:
            x_BSH = self.apply_layer(layer, x_BSH, bias_BASS)
        if read is None:
            return States(*_cut(self.apply_layer(last, x_BSH, bias_BASS), seqs.features.shape[1]), table)
        bias_BAQS = additive_bias(take_rows(mask, read.readers).unsqueeze(1), heads, x_BSH.dtype)
        x_NH = self.apply_layer(last, x_BSH, bias_BAQS, read.readers, read.places)
        image, text = _cut(x_NH, math.prod(read.image))
        return States(image.reshape([*read.image, self.width]), text.reshape([*read.text, self.width]), table)

    def apply_layer(self, layer: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """Return a layer's output for the inputs of EncoderLayer.forward. Processes that share layers put their own
        step before it (engine/sharded.py)."""
        again = self.recompute and self.training
        return recomputed(layer, *inputs) if again else layer(*inputs)

    def embed(self, seqs: Inputs, words: Tensor | None = None) -> Tensor:
        """Return the first layer's input, float [B, S, H]; an absent part is left out, for Paddle's gradients
        of tensors without elements fail. words: float [B, T, H], the tokens' rows of the word table, None: not read
        yet.
        """
        parts = []
        if seqs.features.shape[1]:
            features = seqs.features if seqs.image_delta is None else seqs.features + seqs.image_delta
            image = self.embed_image(features, seqs.locations)
            parts.append(image if seqs.image_of is None else paddle.gather(image, seqs.image_of))
        if seqs.token_ids.shape[1]:
            told = (seqs.token_ids, seqs.positions, seqs.roles, seqs.turns, seqs.text_delta)
            parts.append(self.embed_text(*told, words))
        x_BSH = parts[0] if len(parts) == 1 else paddle.concat(parts, axis=1)
        # Dropout is by element, so one call after joining is the release's two before it.
        rate = self.dropout if self.training else 0.0
        return native.dropout(x_BSH, rate) if self.operators == "native" else F.dropout(x_BSH, rate)

    def _tied_words(self, seqs: Inputs) -> tuple[Tensor | None, Tensor | None]:
        """Return the tokens' rows of the word table and the table for the language head, None where no gradient is
        saved by it."""
        table = self.word_embedding.weight
        if self.operators == "plain" or not self.training or table.stop_gradient or not seqs.token_ids.shape[1]:
            return None, None
        return native.tied_words(table, seqs.token_ids)

    def _norm(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        return native.layer_norm(x, norm) if self.operators == "native" else norm(x)

    def add_dialogue(self) -> None:
        """Let texts have roles and turns (release, section 2): two tables that pretraining does not know."""
        self.role_embedding, self.turn_embedding = embedding(ROLES, self.width), embedding(TURNS, self.width)

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
        return self._norm(self.image_projection(features) + self.location_projection(locations), self.image_norm)

    def embed_text(
        self,
        token_ids: Tensor,
        positions: Tensor,
        roles: Tensor | None = None,
        turns: Tensor | None = None,
        delta: Tensor | None = None,
        words: Tensor | None = None,
    ) -> Tensor:
        """Return float [B, T, H] before dropout. token_ids, positions, roles, turns: int64 [B, T].

        roles, turns: of a model for dialogues, left out where all are 0, as in an answer.  delta: float [B, T, H],
        added before the norm.  words: float [B, T, H], the tokens' rows of the word table, None: not read yet.
        """
        x = (self.word_embedding(token_ids) if words is None else words) + self.position_embedding(positions)
        if self.role_embedding is not None and self.turn_embedding is not None:
            nobody = paddle.zeros_like(token_ids)
            x = x + self.role_embedding(nobody if roles is None else roles)
            x = x + self.turn_embedding(nobody if turns is None else turns)
        return self._norm(x if delta is None else x + delta.astype(x.dtype), self.text_norm)


def _cut(x: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """Cut states, float [.., N, H], into the first `images` rows of N and the others. What is absent is made anew, for
    Paddle's gradients of tensors without elements fail."""
    others = x.shape[-2] - images
    if images and others:
        image, text = paddle.split(x, [images, others], axis=-2)
        return image, text
    nothing = paddle.zeros([*x.shape[:-2], 0, x.shape[-1]], x.dtype)
    return (x, nothing) if images else (nothing, x)


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

    def forward(self, seqs: Inputs, read: Read | None = None) -> States:
        """Return the encoder's states, of all rows or of those read."""
        return self.encoder(seqs, read)

    def language_logits(self, states: States, rows: Tensor | None = None) -> Tensor:
        """Return word logits, float [M, V], of the labelled tokens only: the whole [B, T, V] costs twice the step.

        rows: int64 [M], flat indices into B * T; None where the states are of the labelled tokens alone.
        """
        hidden = states.text if rows is None else take_rows(states.text, rows)
        return self.language_head(hidden, self.encoder.word_embedding.weight if states.table is None else states.table)

    def region_outputs(self, states: States, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the labelled regions' features, float [K, D], and class logits, float [K, C].

        rows: int64 [K], flat indices into B * R; None where the states are of the labelled regions alone.
        """
        hidden = states.image if rows is None else take_rows(states.image, rows)
        return self.region_regression(hidden), self.region_classifier(hidden)

    def match_scores(self, states: States) -> Tensor:
        """Return float [B]: how well each sequence's own image and text match, having read each other."""
        return self.match_scores_separate(states, states)

    def match_scores_separate(self, image_states: States, text_states: States) -> Tensor:
        """Return float [B] for image b of the one against text b of the other, encoded apart (paper, section 2)."""
        image = self.poolers.pool_image(image_states.image)
        return self.match_head(image, self.poolers.pool_text(text_states.text))


def sizes_of(model: UnimoForPretraining) -> ModelSizes:
    """Return the numbers that a checkpoint needs beside its weights to be converted or started from."""
    return encoder_sizes(model.encoder, model.region_classifier.projection.weight.shape[1])


def encoder_sizes(encoder: Unimo, classes: int | None = None) -> ModelSizes:
    """Return the same of a model with other heads. classes: of regions, None where no head knows any."""
    return ModelSizes(
        vocab_size=encoder.vocab_size,
        width=encoder.width,
        layers=len(encoder.layers),
        heads=encoder.heads,
        max_positions=encoder.position_embedding.weight.shape[0],
        feature_width=encoder.feature_width,
        classes=classes,
    )


def parameter_count(vocab_size: int, width: int, layers: int, feature_width: int, max_positions: int = 514) -> int:
    """Return how many numbers `Unimo` learns: 125,634,048 for base and 356.42 million for large."""
    norm = 2 * width
    text = (vocab_size + max_positions) * width + norm
    image = (feature_width + 1) * width + (LOCATION_WIDTH + 1) * width + norm
    attention = 4 * (width + 1) * width + norm
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width + norm
    return text + image + layers * (attention + feed_forward)
