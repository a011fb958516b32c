"""Every setting there is: its type, default, unit and range. Nothing here reads a file.

A setting without a default has to be given. One that may be None says what
happens when it is left out.
"""
# ruff: noqa: RUF009 - setting() and section() are dataclasses.field() with a text; nothing is shared between runs

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import NamedTuple

from unimo_paddle.config.engine import (
    OptimizerSettings,
    ParallelSettings,
    PrecisionSettings,
    TrainSettings,
    WatchSettings,
    sharing_faults,
    warmup_faults,
)
from unimo_paddle.config.setting import Faults, section, setting


class Size(NamedTuple):
    """The three numbers that tell one encoder from another."""

    layers: int
    width: int
    heads: int


SIZES = {"tiny": Size(2, 128, 4), "base": Size(12, 768, 12), "large": Size(24, 1024, 16)}


@dataclass(frozen=True)
class ModelSettings:
    size: str = setting("tiny", "gives layers, width and heads unless these are given", choices=tuple(SIZES))
    layers: int = setting(SIZES["tiny"].layers, "Transformer layers", at_least=1)
    width: int = setting(SIZES["tiny"].width, "width of the hidden states", at_least=1)
    heads: int = setting(SIZES["tiny"].heads, "attention heads of a layer", at_least=1)
    max_positions: int = setting(514, "rows of the position table; positions start at 2", at_least=4)
    dropout: float = setting(0.1, "dropout of hidden states", at_least=0, below=1)
    attention_dropout: float = setting(0.1, "dropout of attention probabilities", at_least=0, below=1)
    vocabulary: int | None = setting(None, "token ids; left out: as the tokenizer has", at_least=5)
    feature_width: int | None = setting(None, "numbers of a region feature; left out: as the store has",
                                            at_least=1)
    region_classes: int | None = setting(None, "detector classes with background; left out: as the store has",
                                             at_least=2)
    weights: Path | None = setting(None, "folder with converted weights to start from; left out: random")
    operators: str = setting("plain", "plain: Paddle's own; native: C++ ones for a CPU, from `make operators`",
                             choices=("plain", "native"))
    recompute: bool = setting(False, "compute each layer twice, to keep only its input for the gradient",
                              may_change=True)

    def faults(self) -> Faults:
        if self.width % self.heads:
            return [("width", f"is {self.width}, which {self.heads} heads cannot share equally; "
                              "make it a multiple of model.heads")]
        return []


@dataclass(frozen=True)
class DataSettings:
    corpus: Path = setting(MISSING, "folder of corpus shards, from tools/prepare.py ingest")
    regions: Path = setting(MISSING, "region store of the corpus's images, from tools/extract.py")
    tokenizer: Path = setting(MISSING, "folder with tokenizer.json, or with the released three files")
    split: str = setting("train", "split of the corpus to train on")
    weight: float = setting(1.0, "share of the steps that are on pairs, beside texts.weight and images.weight",
                            at_least=0, at_most=1e6)
    rows: int = setting(4096, "image rows and tokens of the pairs of one step, padding counted, all GPUs together",
                        at_least=1)
    multiple: int = setting(8, "pairs, texts and images of a step come in multiples of this, which the number of "
                               "processes times train.accumulate divides", at_least=1)
    max_tokens: int = setting(512, "tokens of a text, [CLS] and [SEP] counted (paper: 512)", at_least=3)
    max_regions: int = setting(100, "regions of an image, [IMG] not counted (paper: 100)", at_least=1)
    positives: int = setting(1, "rewritten positives of a pair in a step, drawn from those prepared", at_least=0)
    negatives: int = setting(4, "hard negatives of a pair in a step, drawn from those prepared", at_least=0)
    retrieved_images: int = setting(0, "retrieved images of a pair in a step, drawn from those prepared", at_least=0)
    retrieved_texts: int = setting(0, "retrieved texts of a pair in a step, drawn from those prepared", at_least=0)
    image_regions: Path | None = setting(None, "region store of the retrieved images; left out: data.regions")
    shuffle_captions: bool = setting(False, "each image gets another's captions: the control that stays at chance")


@dataclass(frozen=True)
class TextSettings:
    """Text alone. Documents are packed: a row of a batch is full."""

    tokens: Path | None = setting(None, "token store, from tools/prepare.py tokens; left out: no steps on text alone")
    weight: float = setting(1.0, "share of the steps that are on text alone", at_least=0, at_most=1e6)
    rows: int = setting(4096, "tokens of one step, padding counted, all GPUs together; seq2seq adds a few", at_least=1)
    max_tokens: int = setting(512, "tokens of a packed row, [CLS] and [SEP] counted (paper: 512)", at_least=8)


@dataclass(frozen=True)
class ImageSettings:
    """Images alone."""

    regions: Path | None = setting(None, "region store; left out: no steps on images alone")
    weight: float = setting(1.0, "share of the steps that are on images alone", at_least=0, at_most=1e6)
    rows: int = setting(4096, "image rows of one step, padding counted, all GPUs together", at_least=1)


@dataclass(frozen=True)
class MaskingSettings:
    span_rate: float = setting(0.15, "share of tokens hidden in spans (paper section 4)", above=0, below=1)
    fragment_rate: float = setting(0.25, "share of tokens to generate, cut out in fragments (paper section 4)",
                                   above=0, below=1)
    region_rate: float = setting(0.15, "chance of a region to be an anchor (paper section 3)", above=0, below=1)
    region_overlap: float = setting(0.3, "overlap with an anchor beyond which a region is hidden too",
                                    at_least=0, at_most=1)


@dataclass(frozen=True)
class ObjectiveSettings:
    """Weights of the losses in their sum; 0 leaves one out."""

    masked_language: float = setting(1.0, "weight of masked spans", at_least=0)
    seq2seq: float = setting(1.0, "weight of generated fragments; takes turns with masked_language", at_least=0)
    region_regression: float = setting(1.0, "weight of the masked regions' squared error", at_least=0)
    region_classification: float = setting(1.0, "weight of the masked regions' class cross-entropy", at_least=0)
    contrastive: float = setting(1.0, "weight of cross-modal contrastive learning", at_least=0)
    in_batch: float = setting(0.0, "weight of the contrast with the batch's other pairs (not the paper's)",
                              at_least=0)
    temperature: float = setting(1.0, "tau, divides the match scores (the paper gives no value)", above=0)

    def weights(self) -> dict[str, float]:
        """Return each loss's weight under the name that the objective has in the step's losses."""
        return {
            "masked_language": self.masked_language,
            "seq2seq": self.seq2seq,
            "region_regression": self.region_regression,
            "region_classification": self.region_classification,
            "contrastive": self.contrastive,
            "in_batch": self.in_batch,
        }

    def faults(self) -> Faults:
        if not any(self.weights().values()):
            return [("contrastive", "and all other weights are 0: give at least one objective a weight")]
        return []


@dataclass(frozen=True)
class EvaluationSettings:
    split: str = setting("test", "split of the corpus to evaluate on", may_change=True)
    captions_per_image: int = setting(5, "captions of an image that take part, the first ones", at_least=1,
                                      may_change=True)
    answers: Path | None = setting(None, "JSON, caption id -> ids of all images that it is true of; left out: its own",
                                   may_change=True)
    batch: int = setting(64, "sequences encoded at once", at_least=1, may_change=True)
    encoding: str = setting("joint", "joint: a forward pass for every image with every text; separate: one for each",
                            choices=("joint", "separate"), may_change=True)


@dataclass(frozen=True)
class OutputSettings:
    directory: Path = setting(MISSING, "folder of the run: settings, metrics, checkpoints", may_change=True)


@dataclass(frozen=True)
class PretrainRun:
    """Pretraining on pairs of images and texts."""

    data: DataSettings
    train: TrainSettings
    output: OutputSettings
    kind: str = setting("pretrain", "what is trained", choices=("pretrain",))
    model: ModelSettings = section(ModelSettings)
    texts: TextSettings = section(TextSettings)
    images: ImageSettings = section(ImageSettings)
    masking: MaskingSettings = section(MaskingSettings)
    objectives: ObjectiveSettings = section(ObjectiveSettings)
    optimizer: OptimizerSettings = section(OptimizerSettings)
    precision: PrecisionSettings = section(PrecisionSettings)
    parallel: ParallelSettings = section(ParallelSettings)
    watch: WatchSettings = section(WatchSettings)
    evaluation: EvaluationSettings = section(EvaluationSettings)

    def faults(self) -> Faults:
        found = warmup_faults(self.optimizer, self.train)
        found += sharing_faults(self.parallel, self.precision, self.watch)
        room = self.model.max_positions - 2
        if self.data.max_tokens > room:
            found.append(("data.max_tokens", f"is {self.data.max_tokens}, but the position table has room for "
                                             f"{room}; raise model.max_positions or lower it"))
        if self.objectives.contrastive > 0 and self.data.negatives == 0:
            found.append(("data.negatives", "is 0, which leaves the contrastive loss nothing to tell apart; "
                                            "set at least 1, or objectives.contrastive to 0"))
        wanted = self.objectives
        if self.texts.tokens and self.texts.weight:
            found += self._text_faults(room)
        if self.data.multiple % self.train.accumulate:
            found.append(("train.accumulate", f"is {self.train.accumulate}, which does not divide data.multiple, "
                                              f"{self.data.multiple}; make that a multiple of it"))
        if not self.data.weight + self.texts.weight * bool(self.texts.tokens) + self.images.weight * bool(
            self.images.regions
        ):
            found.append(("data.weight", "is 0, and neither texts nor images have data and a weight; give one of the "
                                         "three some steps"))
        if self.images.regions and not wanted.region_regression + wanted.region_classification:
            found.append(("images.regions", "is given, but no objective hides regions: give "
                                            "objectives.region_regression or region_classification a weight"))
        if self.objectives.in_batch > 0 and self.data.multiple == 1:
            found.append(("data.multiple", "is 1, which may leave the contrast within the batch no other pair; "
                                           "set at least 2, or objectives.in_batch to 0"))
        return found

    def _text_faults(self, room: int) -> Faults:
        texts, found = self.texts, []
        if not self.objectives.masked_language + self.objectives.seq2seq:
            found.append(("texts.tokens", "is given, but no objective hides words: give objectives.masked_language or "
                                          "seq2seq a weight, or leave it out"))
        if texts.max_tokens > room:
            found.append(("texts.max_tokens", f"is {texts.max_tokens}, but the position table has room for {room}; "
                                              "raise model.max_positions or lower it"))
        if texts.rows < self.data.multiple * texts.max_tokens:
            least = self.data.multiple * texts.max_tokens
            found.append(("texts.rows", f"is {texts.rows}, but {self.data.multiple} rows (data.multiple) of "
                                        f"{texts.max_tokens} tokens need {least}; raise it"))
        return found


@dataclass(frozen=True)
class PictureSettings:
    images: Path = setting(MISSING, "folder of the pictures that the annotations name")
    train: Path = setting(MISSING, "COCO instances JSON to train on; with data.genome only a list of the pictures")
    validation: Path | None = setting(None, "as data.train, to judge on; left out: not judged")
    genome: Path | None = setting(None, "folder with Visual Genome's objects, attributes and vocabularies; left out: "
                                        "the COCO instances, without attributes")
    batch: int = setting(4, "pictures of one step", at_least=1)


C4_WIDTHS = {"resnet18_c4": 512, "resnet50_c4": 2048, "resnet101_c4": 2048}


@dataclass(frozen=True)
class FasterRcnnSettings:
    """The detector's shape; its classes and attributes come from the annotations."""

    family: str = setting("small-world", "name of the features; stores of two families never mix")
    backbone: str = setting("efficientnet_lite0", "name of the backbone; it is frozen, or, a ResNet, learns",
                            choices=("efficientnet_lite0", *C4_WIDTHS))
    backbone_weights: Path | None = setting(None, "file of ImageNet weights; left out: its package's")
    short_side: int = setting(256, "pixels to which a picture's short side is scaled", at_least=32)
    long_side: int = setting(384, "pixels that a picture's long side has at most", at_least=32)
    neck_width: int = setting(128, "channels of the map that proposals are read from", at_least=1)
    feature_width: int = setting(256, "numbers of a region feature; a ResNet's are given: 512 or 2048", at_least=1)
    anchor_sizes: tuple[int, ...] = setting((40, 80, 160), "sides of the anchors, pixels of the scaled picture",
                                            at_least=1)
    candidates: int = setting(1000, "proposals before suppression", at_least=1)
    smallest: float = setting(4.0, "side below which a proposal is dropped, pixels of the scaled picture", at_least=0)
    train_proposals: int = setting(100, "proposals after suppression, in training", at_least=1)
    test_proposals: int = setting(64, "proposals after suppression, in extraction", at_least=1)
    anchors_per_image: int = setting(128, "anchors that the proposal network learns from in a step", at_least=1)
    rois_per_image: int = setting(48, "proposals that the region head learns from in a step", at_least=1)

    @property
    def roi_size(self) -> int:
        """Cells of a pooled region along a side: what stage 5 of a ResNet halves, or what is flattened."""
        return 14 if self.backbone in C4_WIDTHS else 7

    def faults(self) -> Faults:
        if self.short_side > self.long_side:
            return [("short_side", f"is {self.short_side}, more than long_side, {self.long_side}; swap them")]
        width = C4_WIDTHS.get(self.backbone, self.feature_width)
        if self.feature_width != width:
            return [("feature_width", f"is {self.feature_width}, but the features of {self.backbone} have {width} "
                                      "numbers; write that")]
        return []


@dataclass(frozen=True)
class ExtractionSettings:
    score_threshold: float = setting(0.2, "class probability that keeps a region (paper: 0.2)",
                                     at_least=0, below=1)
    min_regions: int = setting(10, "regions kept however low they score (paper: 10)", at_least=1)
    max_regions: int = setting(100, "regions kept at most (paper: 100)", at_least=1)

    def faults(self) -> Faults:
        if self.min_regions > self.max_regions:
            return [("min_regions", f"is {self.min_regions}, more than max_regions, {self.max_regions}; lower it")]
        return []


@dataclass(frozen=True)
class DetectorRun:
    """Training of the detector that turns images into regions."""

    data: PictureSettings
    train: TrainSettings
    output: OutputSettings
    kind: str = setting("detector", "what is trained", choices=("detector",))
    detector: FasterRcnnSettings = section(FasterRcnnSettings)
    extraction: ExtractionSettings = section(ExtractionSettings)
    optimizer: OptimizerSettings = section(OptimizerSettings)

    def faults(self) -> Faults:
        return warmup_faults(self.optimizer, self.train)

