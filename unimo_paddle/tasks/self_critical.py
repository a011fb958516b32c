"""Learning from a reward: sampled texts against the model's own greedy one (objectives/reward.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import paddle
from numpy.typing import NDArray

from unimo_paddle.data.batch import LanguageLabels, Sequences
from unimo_paddle.data.continuation import continued
from unimo_paddle.data.encode import Ints
from unimo_paddle.data.task_batch import GeneratePart
from unimo_paddle.generation import Ids, generate
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.flops import Cost
from unimo_paddle.model.inputs import to_read, to_tensors
from unimo_paddle.model.task_model import UnimoForTask
from unimo_paddle.objectives.reward import RewardSettings, self_critical
from unimo_paddle.objectives.terms import LossTerm
from unimo_paddle.task_spec import Decoding
from unimo_paddle.tasks.objective import WordPrediction

REWARD = "reward"
Score = Callable[[Sequence[str], Sequence[Sequence[str]]], NDArray[np.float64]]


@dataclass(frozen=True)
class Judge:
    """What a text is worth. ids: of generation; most: tokens of a text, its end counted; decode: ids to words;
    score: N texts, with N times the texts that count as right, to N numbers (metrics: CIDEr-D)."""

    ids: Ids
    most: int
    decode: Callable[[Sequence[int]], str]
    score: Score


@dataclass(frozen=True)
class Sampled:
    """N sampled texts. sequences, labels: in which they are scored; sample_of: int64 [M], the text that each label is
    of; advantages: float32 [N]."""

    sequences: Sequences
    labels: LanguageLabels
    sample_of: Ints
    advantages: NDArray[np.float32]


class SelfCritical:
    """One loss, counted in samples. Texts are drawn without dropout and scored with it, as words are learnt."""

    def __init__(self, model: UnimoForTask, judge: Judge, settings: RewardSettings) -> None:
        self.model, self.judge, self.settings = model, judge, settings
        self.weights = {REWARD: 1.0}
        self._words = WordPrediction(model, 0.0)

    def parts(self, part: GeneratePart) -> tuple[GeneratePart, ...]:
        return (part,)

    def counts(self, part: GeneratePart) -> dict[str, float]:
        return {REWARD: len(part.references) * self.settings.samples}

    def cost(self, part: GeneratePart) -> Cost:
        """Return the cost as if samples were as long as the part's own texts: how long they will be nobody knows."""
        one, times = self._words.cost(part), self.settings.samples
        return Cost(one.tokens * times, one.rows * times, one.flops * times)

    def passes(self, part: GeneratePart) -> int:
        return 1

    def losses(self, part: GeneratePart) -> dict[str, LossTerm]:
        # The trainer seeds Paddle for each part, so samples too are the same when a run is resumed.
        seed = int(paddle.randint(0, 2**31 - 1, [1], "int64"))
        sampled = self.sample(part, seed)
        read = to_read(sampled.sequences, text=sampled.labels.rows)
        logits = self.model.language_logits(self.model(to_tensors(sampled.sequences), read))
        tensors = map(paddle.to_tensor, (sampled.labels.targets, sampled.sample_of, sampled.advantages))
        return {REWARD: self_critical(logits / self.settings.temperature, *tensors)}

    def sample(self, part: GeneratePart, seed: int) -> Sampled:
        """Draw texts for each input and tell how much better they are than the greedy one."""
        times, judge = self.settings.samples, self.judge
        decoder = CachedDecoder(self.model.encoder, self.model.language_head)
        inputs = to_tensors(part.prompt)
        greedy = generate(decoder.start(inputs), Decoding("greedy", most=judge.most), judge.ids)
        drawing = Decoding("nucleus", times, most=judge.most, top_p=1.0, temperature=self.settings.temperature)
        drawn = generate(decoder.start(inputs), drawing, judge.ids, seed=seed)
        samples = [one.ids for texts in drawn for one in texts]
        baseline = self._rewards([texts[0].ids for texts in greedy], part.references)
        rewards = self._rewards(samples, [one for one in part.references for _ in range(times)])
        targets = [self._target(ids) for ids in samples]
        sequences, labels = continued(part.prompt, targets, judge.ids.start)
        return Sampled(
            sequences,
            labels,
            np.repeat(np.arange(len(targets)), [len(one) for one in targets]),
            (rewards - np.repeat(baseline, times)).astype(np.float32),
        )

    def _rewards(self, texts: Sequence[Sequence[int]], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        return self.judge.score([self.judge.decode(ids).strip() for ids in texts], references)

    def _target(self, ids: Sequence[int]) -> Ints:
        """Return the tokens that were chosen: the end too, unless the text was cut at the greatest length."""
        chosen = [*ids, self.judge.ids.end] if len(ids) < self.judge.most else list(ids)
        return np.array(chosen, np.int64)
