"""Captions that the model writes as far as it has got: greedy; a look, no measurement."""

from __future__ import annotations

from collections.abc import Sequence

from unimo_paddle.data.batch import pad
from unimo_paddle.data.encode import ImageRow
from unimo_paddle.data.patterns import image_prefix
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.generation import Ids, generate
from unimo_paddle.model.cache import CachedDecoder
from unimo_paddle.model.inputs import to_tensors
from unimo_paddle.model.unimo import UnimoForPretraining
from unimo_paddle.task_spec import Decoding


def write_captions(
    model: UnimoForPretraining, images: Sequence[ImageRow], tokenizer: Tokenizer, longest: int = 20
) -> list[str]:
    """Return a caption of each image: the most probable next token until [SEP] or `longest` tokens."""
    never = (tokenizer.cls, tokenizer.pad, tokenizer.unk, tokenizer.mask)
    ids = Ids(start=tokenizer.cls, end=tokenizer.sep, pad=tokenizer.pad, banned=never)
    patterns = [image_prefix(len(image.features), 0, 0) for image in images]
    decoder = CachedDecoder(model.encoder, model.language_head).start(to_tensors(pad(images, [], patterns)))
    found = generate(decoder, Decoding(method="greedy", most=longest), ids)
    return [tokenizer.decode(texts[0].ids).strip() for texts in found]
