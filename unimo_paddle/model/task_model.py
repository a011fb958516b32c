"""UNIMO with the head of one task (release, section 6)."""

from __future__ import annotations

from dataclasses import dataclass

from paddle import Tensor, nn

from unimo_paddle.model.heads import LanguageHead, MatchHead, Poolers
from unimo_paddle.model.inputs import Inputs, Read
from unimo_paddle.model.layers import take_rows
from unimo_paddle.model.task_heads import TEXT, AnswerHead
from unimo_paddle.model.unimo import States, Unimo

ANSWER, MATCH, GENERATE = "answer", "match", "generate"


@dataclass(frozen=True)
class HeadShape:
    """What a head is made of. kind: answer, match or generate.

    outputs, pooled, inner: of an answer head (task_heads.AnswerHead).  dialogue: the text has roles and turns.
    """

    kind: str
    outputs: int = 0
    pooled: str = TEXT
    inner: int | None = None
    dialogue: bool = False


class UnimoForTask(nn.Layer):
    """The encoder and one task's head. What it shares with pretraining has the same name there, so that weights of
    pretraining start it (model/loading.py)."""

    def __init__(self, encoder: Unimo, shape: HeadShape) -> None:
        super().__init__()
        self.encoder, self.shape = encoder, shape
        if shape.dialogue:
            encoder.add_dialogue()
        if shape.kind == GENERATE:
            self.language_head = LanguageHead(encoder.vocab_size, encoder.width, encoder.operators)
            return
        self.poolers = Poolers(encoder.width)
        if shape.kind == MATCH:
            self.match_head = MatchHead(encoder.width, encoder.dropout)
        else:
            assert shape.kind == ANSWER, shape.kind
            self.answer = AnswerHead(encoder.width, shape.outputs, shape.pooled, shape.inner, encoder.dropout)

    def forward(self, seqs: Inputs, read: Read | None = None) -> States:
        """Return the encoder's states, of all rows or of those read."""
        return self.encoder(seqs, read)

    def answers(self, states: States) -> Tensor:
        """Return float [B, C]: logits of classes or of a vocabulary's answers, or the predicted number (C = 1)."""
        return self.answer(states.image, states.text, self.poolers)

    def language_logits(self, states: States, rows: Tensor | None = None) -> Tensor:
        """Return word logits, float [M, V], of the tokens that are read.

        rows: int64 [M], flat indices into B * T; None where the states are of these tokens alone.
        """
        hidden = states.text if rows is None else take_rows(states.text, rows)
        return self.language_head(hidden, self.encoder.word_embedding.weight if states.table is None else states.table)

    def match_scores(self, states: States) -> Tensor:
        """Return float [B]: how well each sequence's own image and text match, having read each other."""
        return self.match_scores_separate(states, states)

    def match_scores_separate(self, image_states: States, text_states: States) -> Tensor:
        """Return float [B] for image b of the one against text b of the other, encoded apart."""
        image = self.poolers.pool_image(image_states.image)
        return self.match_head(image, self.poolers.pool_text(text_states.text))
