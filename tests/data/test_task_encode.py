"""One record as rows: equal to the release's description token by token, and refused where it cannot be read."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.data import small_task
from tests.data.small_corpus import regions_of
from tests.data.small_task import ANSWERS, LABELS, LIMITS, sentence
from tests.reference import task_encoding as oracle
from unimo_paddle.data.encode import ImageRow, encode_image
from unimo_paddle.data.task_encode import Encoded, Limits, TaskEncoder, labels_of
from unimo_paddle.data.tokenizer import Tokenizer
from unimo_paddle.errors import UserError
from unimo_paddle.records import Record

PLACE = "train.jsonl:7"
CASES = [Limits(most, most // 2, most // 4 + 1, 5) for most in (4, 5, 6, 7, 12, 17, 30, 200)]


@pytest.fixture(scope="module")
def words() -> Tokenizer:
    return small_task.tokenizer()


@pytest.fixture(scope="module")
def image() -> ImageRow:
    return encode_image(regions_of(3), "image3", LIMITS.max_regions)


def rows(encoded: Encoded) -> list[tuple[int, int]]:
    return list(zip(encoded.text.ids.tolist(), encoded.text.positions.tolist(), strict=True))


def ids(words: Tokenizer, text: Any) -> list[int]:
    return words.encode_batch([text])[0].ids.tolist()


def make(name: str, words: Tokenizer, limits: Limits = LIMITS) -> TaskEncoder:
    return small_task.encoder(name, words, limits)


@pytest.mark.parametrize("limits", CASES, ids=str)
@pytest.mark.parametrize("numbers", [(3, 3), (0, 3), (3, 0), (2, 3), (7, 1), (0, 0)])
def test_texts_and_pairs(words: Tokenizer, limits: Limits, numbers: tuple[int, int]) -> None:
    a, b = map(sentence, numbers)
    encoder = make("text", words, limits)
    one = encoder.encode(Record("r", text=a, label="neutral"), None, PLACE)
    assert (rows(one), one.wanted, one.source_rows) == (
        oracle.single(ids(words, a), limits.max_tokens), 2, len(one.text.ids),
    )  # fmt: skip
    two = encoder.encode(Record("r", text=a, text_b=b, label="entailment"), None, PLACE)
    assert rows(two) == oracle.pair(ids(words, a), ids(words, b), limits.max_tokens)
    assert two.text.roles is two.text.turns is None and two.text.word_start[0]


def test_a_pair_by_hand(words: Tokenizer) -> None:
    encoder = make("text", words, replace(LIMITS, max_tokens=8))
    for a, b, kept in (
        ((10, 11, 12, 13, 14), (20,), (0, 10, 11, 12, 13, 2, 20, 2)),
        ((10, 11, 12), (20, 21, 22), (0, 10, 11, 12, 2, 20, 21, 2)),   # a tie: b loses one
        ((10,), (20, 21, 22, 23, 24, 25), (0, 10, 2, 20, 21, 22, 23, 2)),
    ):
        one = encoder.encode(Record("r", text=a, text_b=b, label="neutral"), None, PLACE)
        assert rows(one) == list(zip(kept, range(2, 10), strict=True))


@pytest.mark.parametrize("limits", CASES, ids=str)
@pytest.mark.parametrize(("source", "target"), [(3, 3), (0, 1), (7, 4)])
def test_sequence_to_sequence(words: Tokenizer, limits: Limits, source: int, target: int) -> None:
    if limits.max_target < 3:
        return
    given = Record("r", text=sentence(source), target=sentence(target))
    encoder = make("summary", words, limits)
    one, prompt = encoder.encode(given, None, PLACE), encoder.prompt(given, None, PLACE)
    begin = oracle.source(ids(words, given.text), limits.max_tokens)
    assert rows(one) == begin + oracle.target(ids(words, given.target), limits.max_target, "mask", words.mask)
    assert rows(prompt) == begin and one.source_rows == prompt.source_rows == len(begin)
    assert one.references == (given.target,)


def test_a_target_that_is_cut_has_no_end_but_a_caption_has(words: Tokenizer, image: ImageRow) -> None:
    limits, target = replace(LIMITS, max_target=4), (20, 21, 22, 23)
    text = make("summary", words, limits).encode(Record("r", text=(10,), target=target), None, PLACE)
    assert rows(text) == [(0, 2), (10, 3), (2, 4), (0, 2), (20, 3), (21, 4), (22, 5)]
    fits = make("summary", words, limits).encode(Record("r", text=(10,), target=target[:2]), None, PLACE)
    assert rows(fits)[3:] == [(0, 2), (20, 3), (21, 4), (words.mask, 5)]
    caption = make("caption", words, limits).encode(Record("r", image="i", target=target), image, PLACE)
    assert rows(caption) == [(0, 2), (20, 3), (21, 4), (2, 5)] and caption.source_rows == 0


@pytest.mark.parametrize("limits", CASES[2:], ids=str)
@pytest.mark.parametrize("turns", [1, 2, 3, 14, 15, 16, 21])
def test_dialogues(words: Tokenizer, limits: Limits, turns: int) -> None:
    said = tuple(sentence(n) for n in range(turns))
    given = Record("r", text=sentence(3), turns=said, target=sentence(1))
    one = make("dialogue", words, limits).encode(given, None, PLACE)
    source = oracle.dialogue(ids(words, given.text), [ids(words, turn) for turn in said], limits.max_tokens)
    target = oracle.target(ids(words, given.target), limits.max_target, "mask", words.mask)
    assert one.text.roles is not None and one.text.turns is not None
    got = [*zip(*(part.tolist() for part in (one.text.ids, one.text.positions, one.text.roles, one.text.turns)),
                strict=True)]  # fmt: skip
    assert got == source + [(token, position, 0, 0) for token, position in target]
    assert {part.dtype for part in (one.text.roles, one.text.turns, one.text.positions)} == {np.dtype(np.int64)}
    asked = one.text.turns[: one.source_rows] == 1   # the current question is spoken by role 1
    assert set(one.text.roles[: one.source_rows][asked].tolist()) == {1}


@pytest.mark.parametrize("limits", CASES, ids=str)
def test_captions_with_tags(words: Tokenizer, image: ImageRow, limits: Limits) -> None:
    given = Record("r", image="i", tags="dog pond tree", target=sentence(2), references=("a", "b"))
    one = make("caption", words, limits).encode(given, image, PLACE)
    begin = oracle.tags(ids(words, given.tags), limits.max_tags)
    assert rows(one) == begin + oracle.target(ids(words, given.target), limits.max_target, "sep", words.mask)
    assert one.source_rows == len(begin) and one.references == ("a", "b") and one.image is image


def test_tags_come_before_a_text(words: Tokenizer, image: ImageRow) -> None:
    given = Record("r", image="i", tags=(30, 31), text=(10, 11), target=(20,))
    one = make("spoken", words).encode(given, image, PLACE)
    assert one.text.ids.tolist() == [0, 30, 31, 2, 0, 10, 11, 2, 0, 20, words.mask]
    assert one.text.positions.tolist() == [2, 3, 4, 5, 2, 3, 4, 5, 2, 3, 4]
    assert one.text.word_start[[0, 3, 4, 7, 8, 10]].all()


@pytest.mark.parametrize("name", small_task.HEADS)
def test_words_and_their_ids_are_the_same_record(words: Tokenizer, image: ImageRow, name: str) -> None:
    def as_ids(text: Any) -> Any:
        return tuple(ids(words, text)) if isinstance(text, str) else text

    encoder = make(name, words)
    for n in range(6):
        given = small_task.record(name, n)
        fields = {key: as_ids(getattr(given, key)) for key in ("text", "text_b", "tags", "target")}
        other = replace(given, **fields, turns=tuple(map(as_ids, given.turns)))
        pixels = image if encoder.task.needs_regions else None
        one, same = encoder.encode(given, pixels, PLACE), encoder.encode(other, pixels, PLACE)
        assert rows(one) == rows(same) and one.references == same.references
        assert (one.text.word_start == same.text.word_start).all()
        assert np.array_equal(np.asarray(one.wanted, float), np.asarray(same.wanted, float), equal_nan=True)


def test_what_the_model_should_say(words: Tokenizer, image: ImageRow) -> None:
    answer = make("answer", words).encode(
        Record("r", image="i", text="how many", answers={"two dogs": 0.6, "no": 1, "none": 1}), image, PLACE
    )
    assert isinstance(answer.wanted, np.ndarray) and answer.wanted.dtype == np.float32
    assert answer.wanted.tolist() == pytest.approx([0, 1, 0.6])
    assert make("number", words).encode(Record("r", text="a", label=3), None, PLACE).wanted == 3.0
    assert make("match", words).encode(Record("r", text="a", image="i"), image, PLACE).wanted is None
    assert TaskEncoder(words, small_task.task("text"), LIMITS, ("0", "1")).encode(
        Record("r", text="a", label=1), None, PLACE
    ).wanted == 1  # fmt: skip
    labelled = [Record("r", label=1), Record("s", label="b"), Record("t"), Record("u", label=0)]
    assert labels_of(labelled) == ("0", "1", "b")


@pytest.mark.parametrize("name", small_task.HEADS)
def test_lengths(words: Tokenizer, image: ImageRow, name: str) -> None:
    encoder, records = make(name, words), [small_task.record(name, n) for n in range(6)]
    pixels = image if encoder.task.needs_regions else None
    for with_answer, encode in ((True, encoder.encode), (False, encoder.prompt)):
        lengths = [len(encode(one, pixels, PLACE).text.ids) for one in records]
        counted, guessed = (encoder.lengths(records, with_answer, is_counted) for is_counted in (True, False))
        # Each text counts two special tokens, and a pair is cut as one.
        assert all(0 <= a - b <= 9 for a, b in zip(counted, lengths, strict=True)) or name == "text"
        assert len(guessed) == len(records) and min(guessed) >= 0
    given = [Record("r", text=(5,) * n, text_b=(6,)) for n in (1, 4, 900)]
    if name == "text":
        assert encoder.lengths(given, True, True) == encoder.lengths(given, True, False) == [6, 9, 33]


FAULTY: list[tuple[str, dict[str, Any], str]] = [
    ("text", {"text": None}, "text is missing"),
    ("text", {"text": "  "}, "text is empty"),
    ("text", {"text": ()}, "text is empty"),
    ("text", {"text_b": ""}, "text_b is empty"),
    ("text", {"text_b": "a\ud83d"}, "text_b holds half a surrogate pair"),
    ("text", {"label": None}, "label is missing; it is one of 'contradiction', 'entailment', 'neutral'"),
    ("text", {"label": "entailement"}, r"label 'entailement' is none of .*did you mean 'entailment'\?"),
    ("text", {"label": "zzz"}, r"label 'zzz' is none of 'contradiction', 'entailment', 'neutral'$"),
    ("text", {"label": 3}, "label 3 is none of"),
    ("number", {"label": "3"}, "label is '3'; a finite number is wanted"),
    ("number", {"label": float("nan")}, "label is nan; a finite number is wanted"),
    ("number", {"label": None}, "label is missing; a finite number is wanted"),
    ("image", {"image": None}, "image is missing"),
    ("image", {"text_b": "b"}, "text_b is filled, but image reads only image, text"),
    ("answer", {"answers": {}}, "answers is missing"),
    ("answer", {"answers": {"maybe": 1.0}}, "answers has none of the vocabulary's 3, only 'maybe'"),
    ("summary", {"target": None}, "target is missing"),
    ("summary", {"target": " "}, "target is empty"),
    ("summary", {"turns": ("a",)}, "turns is filled, but summary reads only text, target"),
    ("summary", {"text": (5, 9999)}, r"token id 9999 is none of the tokenizer's \d+"),
    ("summary", {"target": (-1,)}, "token id -1 is none"),
    ("dialogue", {"turns": ()}, "turns is missing"),
    ("dialogue", {"turns": ("a", "")}, "one of the turns is empty"),
    ("dialogue", {"turns": ("a", (9999,))}, "token id 9999 is none"),
    ("caption", {"text": "a"}, "text is filled"),
    ("caption", {"tags": ""}, "tags is empty"),
]


@pytest.mark.parametrize(("name", "changes", "told"), FAULTY)
def test_faulty_records_are_refused_with_their_place(
    words: Tokenizer, image: ImageRow, name: str, changes: dict[str, Any], told: str
) -> None:
    encoder, given = make(name, words), replace(small_task.record(name, 1), **changes)
    with pytest.raises(UserError, match=f"^{PLACE}: {told}"):
        encoder.encode(given, image if encoder.task.needs_regions else None, PLACE)


def test_an_input_needs_no_answer(words: Tokenizer, image: ImageRow) -> None:
    for name, changes in (("text", {"label": None}), ("answer", {"answers": {}}), ("summary", {"target": None})):
        encoder = make(name, words)
        given = replace(small_task.record(name, 1), **changes)  # type: ignore[arg-type]
        one = encoder.prompt(given, image if encoder.task.needs_regions else None, PLACE)
        assert one.wanted is None and one.references == () and one.source_rows == len(one.text.ids)


def test_tasks_without_labels_are_refused(words: Tokenizer) -> None:
    with pytest.raises(UserError, match="task text has 1 labels, at least 2 are needed"):
        TaskEncoder(words, small_task.task("text"), LIMITS, LABELS[:1])
    with pytest.raises(UserError, match="task answer has 0 labels, at least 1"):
        TaskEncoder(words, small_task.task("answer"), LIMITS, ANSWERS[:0])
