"""The probe of a pretraining run: retrieval, hidden words and regions, attention and captions of held-out pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import paddle
from PIL import Image

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import Floats
from unimo_paddle.data.patterns import bidirectional
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.engine.probe import Probed
from unimo_paddle.engine.scoring import PairScorer
from unimo_paddle.metrics.retrieval import recall
from unimo_paddle.model.attention_map import last_attention
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining
from unimo_paddle.probes import drawing
from unimo_paddle.probes.captions import write_captions
from unimo_paddle.probes.held_out import HeldOut
from unimo_paddle.probes.hidden import masked_regions, masked_word_accuracy, region_accuracy

KS = (1, 5)
SHOWN, SHOWN_TABLES = 4, 2  # pairs that are drawn, the first ones, and those whose attention is
VALUES = (
    *(f"{encoding}_{way}_R@{k}" for encoding in ("joint", "separate") for way in ("image_to_text", "text_to_image")
      for k in KS),
    "masked_word_accuracy",
    "masked_region_accuracy",
)  # fmt: skip


class PairProbe:
    """Values are shares in [0, 1], named in VALUES; the same held-out pairs, hidden in the same way, each time.

    classes: names of the region classes, background first; batch: sequences of one forward pass.
    """

    def __init__(
        self, model: UnimoForPretraining, pairs: HeldOut, tokenizer: Tokenizer, classes: Sequence[str], batch: int
    ) -> None:
        self.model, self.pairs, self.tokenizer, self.classes, self.batch = model, pairs, tokenizer, classes, batch

    def __call__(self, step: int) -> Probed:
        """Probe the model, which must be in evaluation mode; the step changes nothing."""
        assert not self.model.training, "a probe looks at a model without dropout"
        with paddle.no_grad():
            hidden = masked_regions(self.model, self.pairs, self.batch)
            values = self.retrieval()
            values["masked_word_accuracy"] = masked_word_accuracy(
                self.model, self.pairs, self.tokenizer.mask, self.batch
            )
            values["masked_region_accuracy"] = region_accuracy(hidden)
            written = write_captions(self.model, self.pairs.images[:SHOWN], self.tokenizer)
            attention = [self.attention(pair) for pair in range(len(self.pairs.images[:SHOWN_TABLES]))]
        shown = zip(self._canvases(), self.pairs.images, hidden, written, self.pairs.captions, strict=False)
        regions, captions = [], []
        for canvas, row, classes, ours, true in shown:
            regions.append(drawing.draw_hidden(canvas, row, classes, self.classes))
            captions.append(drawing.draw_caption(canvas, ours, true))
        pictures = {
            "masked_regions": drawing.arrange(regions),
            "captions": drawing.arrange(captions),
            "attention": drawing.arrange(attention, columns=1),
        }
        told = [f"{ours}  (true: {true})" for ours, true in zip(written, self.pairs.captions, strict=False)]
        return Probed(values, pictures, {"captions": "\n".join(told)})

    def retrieval(self) -> dict[str, float]:
        """Return recall at 1 and 5 of images and texts among the pairs, read together and apart."""
        scorer = PairScorer(self.model, self.pairs.images, self.pairs.texts, self.batch)
        right, values = self.pairs.is_right, dict[str, float]()
        for encoding, scores in (("joint", scorer.joint()), ("separate", scorer.separate())):
            for way, found in (("image_to_text", recall(scores.T, right.T, KS)),
                               ("text_to_image", recall(scores, right, KS))):  # fmt: skip
                values |= {f"{encoding}_{way}_R@{k}": found.at[k] for k in KS}
        return values

    def attention(self, pair: int) -> Image.Image:
        """Draw where the words of a caption look in its image, in the last layer, mean over the heads."""
        image, text = self.pairs.images[pair], self.pairs.texts[pair]
        regions = len(image.features)
        sequences = to_tensors(pad([image], [text], [bidirectional(regions, len(text.ids))]))
        weights = last_attention(self.model.encoder, sequences)[0, regions:, :regions]
        best = 1 + image.class_probs[1:, 1:].argmax(axis=1)
        labels = ["[IMG]", *(self.classes[label] for label in best)]
        words, places = self._words(pair)
        canvas = drawing.open_canvas(self.pairs.paths[pair], image)
        return drawing.draw_attention(canvas, image, words, _rows(weights.astype("float32").numpy(), places), labels)

    def _words(self, pair: int) -> tuple[list[str], list[list[int]]]:
        """Return the caption's words and the places of each one's tokens; [CLS] and [SEP] are left out."""
        text = self.pairs.texts[pair]
        starts = [*(np.flatnonzero(text.word_start[1:-1]) + 1), len(text.ids) - 1]
        places = [list(range(begin, end)) for begin, end in pairwise(starts)]
        return [self.tokenizer.decode(text.ids[some]).strip() for some in places], places

    def _canvases(self) -> list[drawing.Canvas]:
        shown = zip(self.pairs.paths[:SHOWN], self.pairs.images, strict=False)
        return [drawing.open_canvas(path, row) for path, row in shown]


def _rows(weights: Floats, places: Sequence[Sequence[int]]) -> Floats:
    """Return float32 [words, R]: the mean of each word's tokens, weights [T, R]."""
    return np.array([weights[some].mean(axis=0) for some in places], np.float32).reshape(-1, weights.shape[1])
