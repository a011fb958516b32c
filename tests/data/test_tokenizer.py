import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.reference import bpe
from unimo_paddle.data.tokenizer import SMALLEST_VOCABULARY, load_tokenizer, train_tokenizer
from unimo_paddle.data.vocabulary import read_tokenizer_json
from unimo_paddle.errors import UserError

RELEASED = Path(__file__).resolve().parents[3] / "shared" / "data"
TEXTS = [
    "Two dogs run through the snow, and the other dog doesn't.",
    "the red house and the blue house stand beside the river",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich\n\n 12 345",
    "they're here; we've seen the houses, she'll see the dogs' snow",
]
AWKWARD = ["", " ", "\x00", "a\x00b", " \t\n\r\n  x  ", "\u3000\xa0\u2003word", "e\u0301\u0308 A\u030a",
           "\U0001f468\u200d\U0001f469", "'s's'SLL'll", "[CLS] [MASK] <|endoftext|>", "İstanbul ẞ ﬁ",
           "\ufffd\ufeff\U0010ffff", "½²٣", "a" * 3000]  # fmt: skip


def random_texts(seed: int, count: int, assigned: bool = False) -> list[str]:
    """Texts mixing words, runs of whitespace and code points of all planes (surrogates left out)."""
    rng = np.random.default_rng(seed)
    ranges = ((0, 0x80), (0x80, 0x800), (0x300, 0x370), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000))
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(rng.integers(1, 12)):
            low, high = ranges[rng.integers(len(ranges))]
            signs = [chr(code) for code in rng.integers(low, high, rng.integers(1, 6))]
            parts.append("".join(sign for sign in signs if not assigned or unicodedata.category(sign) != "Cn"))
            parts.append(rng.choice(["", " ", "  ", "\n", " \t ", "'s", " the", " dog", "12"]))
        texts.append("".join(parts))
    return texts


@pytest.fixture(scope="module")
def trained():
    return train_tokenizer(TEXTS, 400, lowercase=False)


@pytest.fixture(scope="module")
def released():
    if not (RELEASED / "unimo_en.vocab.txt").exists():
        pytest.skip("the released vocabulary is not in ../shared/data")
    return load_tokenizer(RELEASED)


def ids(tokenizer, text: str) -> list[int]:
    return tokenizer.encode_batch([text])[0].ids.tolist()


def write_released(folder: Path, tokenizer, prefix: str = "") -> None:
    """Write a small triple in the release's layout: GPT-2 ids by piece, then rows in another order."""
    tokenizer.save(folder / "source")
    vocabulary = read_tokenizer_json(folder / "source" / "tokenizer.json")
    spoken = [piece for piece in vocabulary.pieces if not piece.startswith("[") or len(piece) == 1]
    encoder = {piece: number for number, piece in enumerate([*sorted(spoken), "<|endoftext|>"])}
    rows = [str(number) for number in reversed(range(len(encoder)))]
    lines = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", *rows, "madeupword0000", "[MASK]"]
    (folder / f"{prefix}vocab.txt").write_text("\n".join(lines) + "\n")
    (folder / f"{prefix}encoder.json").write_text(json.dumps(encoder))
    merges = ["#version: 0.2", *(" ".join(pair) for pair in vocabulary.merges)]
    (folder / f"{prefix}vocab.bpe").write_text("\n".join(merges) + "\n", encoding="utf-8")


def test_released_ids_are_those_of_the_spec(released):
    assert (released.cls, released.pad, released.sep, released.unk, released.mask) == (0, 1, 2, 3, 50264)
    assert released.vocab_size == 50265
    expected = {" the": 5, ".": 4, " a": 10, "The": 133, "the": 627}
    assert {text: ids(released, text) for text in expected} == {text: [number] for text, number in expected.items()}


def test_released_equals_the_oracle_and_the_ids_of_the_files(released):
    encoder = json.loads((RELEASED / "unimo_en.encoder.json").read_text())
    row = {token: number for number, token in enumerate((RELEASED / "unimo_en.vocab.txt").read_text().split())}
    pieces = {piece: row[str(number)] for piece, number in encoder.items()}
    merges = [tuple(line.split(" ")) for line in (RELEASED / "unimo_en.vocab.bpe").read_text().split("\n")[1:-1]]
    texts = random_texts(1, 25, assigned=True) + TEXTS + AWKWARD[:-1]
    assert [ids(released, text) for text in texts] == [bpe.encode(text, pieces, merges) for text in texts]


def test_words_start_at_whitespace(released):
    tokens = released.encode_batch(["unbelievable snowboarders, ok\nnext"])[0]
    words, word = [], []
    for index, starts in zip(tokens.ids, tokens.word_start, strict=True):
        word = [] if starts else word
        words += [word] if starts else []
        word.append(int(index))
    assert [released.decode(word) for word in words] == ["unbelievable", " snowboarders,", " ok", "\nnext"]
    assert tokens.ids.dtype == np.int64
    assert tokens.word_start.dtype == np.bool_


def test_trained_equals_the_oracle(trained, tmp_path):
    trained.save(tmp_path)
    vocabulary = read_tokenizer_json(tmp_path / "tokenizer.json")
    texts = random_texts(2, 150, assigned=True) + TEXTS + AWKWARD[:-1]
    expected = [bpe.encode(text, vocabulary.pieces, vocabulary.merges) for text in texts]
    assert [tokens.ids.tolist() for tokens in trained.encode_batch(texts)] == expected
    assert all(bpe.decode(row, vocabulary.pieces) == text for row, text in zip(expected, texts, strict=True))


def test_any_text_comes_back_exactly(trained):
    texts = random_texts(3, 400) + AWKWARD + ["".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))]
    decoded = [trained.decode(tokens.ids) for tokens in trained.encode_batch(texts)]
    assert [text for text, back in zip(texts, decoded, strict=True) if text != back] == []


def test_lowercase_is_a_setting_that_is_saved_and_may_be_overruled(tmp_path):
    lower = train_tokenizer(TEXTS, 300, lowercase=True)
    assert lower.decode(lower.encode_batch(["The RED İ"])[0].ids) == "the red i̇"
    lower.save(tmp_path)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text()) == {"lowercase": True}
    assert load_tokenizer(tmp_path).lowercase
    cased = load_tokenizer(tmp_path, lowercase=False)
    assert cased.decode(cased.encode_batch(["The RED İ"])[0].ids) == "The RED İ"
    (tmp_path / "tokenizer_config.json").write_text('{"lowercase": "no"}')
    with pytest.raises(UserError, match="tokenizer_config.json.*'no'"):
        load_tokenizer(tmp_path)


def test_training_is_repeatable_and_keeps_the_special_ids(trained, tmp_path):
    trained.save(tmp_path / "a")
    train_tokenizer(iter(TEXTS), 400, lowercase=False).save(tmp_path / "b")
    assert (tmp_path / "a/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()
    assert (trained.cls, trained.pad, trained.sep, trained.unk, trained.mask) == (0, 1, 2, 3, trained.vocab_size - 1)
    assert trained.vocab_size <= 400
    assert train_tokenizer(["ab ab ab"], 400, lowercase=False).vocab_size < 270  # too little text for 400


def test_text_that_looks_special_is_text(trained):
    tokens = ids(trained, "[MASK][CLS]")
    assert not {trained.mask, trained.cls} & set(tokens)
    assert trained.decode([trained.cls, *tokens, trained.sep, trained.mask]) == "[MASK][CLS]"


def test_broken_bytes_become_replacement_signs(trained):
    assert trained.decode(ids(trained, "é")[:1]) == "\ufffd"
    assert trained.decode([]) == ""


@pytest.mark.parametrize("prefix", ["", "unimo_en."])
def test_small_released_triple(trained, tmp_path, prefix):
    write_released(tmp_path, trained, prefix)
    small = load_tokenizer(tmp_path)
    encoder = json.loads((tmp_path / f"{prefix}encoder.json").read_text())
    number_of = {piece: 4 + len(encoder) - 1 - number for piece, number in encoder.items()}
    merges = read_tokenizer_json(tmp_path / "source/tokenizer.json").merges
    texts = TEXTS + AWKWARD[:-1]
    assert [ids(small, text) for text in texts] == [bpe.encode(text, number_of, merges) for text in texts]
    assert small.decode([*ids(small, " snow"), small.vocab_size - 2, number_of["<|endoftext|>"]]) == " snow"


def test_rows_may_carry_their_own_index(trained, tmp_path):
    write_released(tmp_path, trained)
    expected = ids(load_tokenizer(tmp_path), TEXTS[0])
    rows = (tmp_path / "vocab.txt").read_text().split("\n")[:-1]
    lines = [f"  {token}\t{number} \r" for number, token in enumerate(rows)]
    lines = [*lines[::-1], "what\tfollows\tis ignored", "x"]
    (tmp_path / "vocab.txt").write_text("\n".join(lines))
    assert ids(load_tokenizer(tmp_path), TEXTS[0]) == expected


def edit_lines(name, change):
    def edit(folder):
        lines = (folder / name).read_text(encoding="utf-8").split("\n")
        change(lines)
        (folder / name).write_text("\n".join(lines), encoding="utf-8")

    return edit


def edit_json(name, change):
    def edit(folder):
        found = json.loads((folder / name).read_text())
        change(found)
        (folder / name).write_text(json.dumps(found))

    return edit


def cut(name, share):
    def edit(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return edit


BROKEN = {
    "absent": (lambda folder: (folder / "vocab.bpe").unlink(), "neither tokenizer.json nor vocab.bpe"),
    "truncated json": (cut("encoder.json", 0.5), "encoder.json: line 1 column"),
    "rows cut": (cut("vocab.txt", 0.5), "vocab.txt: has no line for 0, .*encoder.json"),
    "merges cut": (edit_lines("vocab.bpe", lambda lines: lines.__delitem__(slice(-5, -1))), "vocab.bpe: its .* short"),
    "row twice": (edit_lines("vocab.txt", lambda lines: lines.insert(9, lines[7])), "vocab.txt:10: .* line 8"),
    "id twice": (edit_lines("vocab.txt", lambda lines: lines.__setitem__(9, "x\t7")), "vocab.txt:10: .* line 8"),
    "index no number": (edit_lines("vocab.txt", lambda lines: lines.__setitem__(5, "x\tfive")), "vocab.txt:6"),
    "empty row": (edit_lines("vocab.txt", lambda lines: lines.insert(5, "")), "vocab.txt:6"),
    "stray row": (edit_lines("vocab.txt", lambda lines: lines.insert(5, "99999")), "99999 is no id of .*encoder.json"),
    "row swapped": (edit_lines("vocab.txt", lambda lines: lines.insert(0, lines.pop(1))), r"\[CLS\] 1, expected 0"),
    "merge of three": (edit_lines("vocab.bpe", lambda lines: lines.__setitem__(3, "a b c")), "vocab.bpe:4: 'a b c'"),
    "merge unknown": (edit_lines("vocab.bpe", lambda lines: lines.insert(1, "zz q")), "vocab.bpe: merge 1"),
    "encoder a list": (lambda folder: (folder / "encoder.json").write_text("[1]"), "encoder.json: holds a list"),
    "encoder id twice": (edit_json("encoder.json", lambda found: found.update(a=found["b"])), "encoder.json: id"),
    "encoder id text": (edit_json("encoder.json", lambda found: found.update(a="7")), "encoder.json: piece 'a'"),
    "not utf-8": (lambda folder: (folder / "vocab.txt").write_bytes(b"[CLS]\n\xff\n"), "vocab.txt: byte 6"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_triple_names_the_file(trained, tmp_path, name):
    write_released(tmp_path, trained)
    spoil, message = BROKEN[name]
    spoil(tmp_path)
    with pytest.raises(UserError, match=message):
        load_tokenizer(tmp_path)


BROKEN_JSON = {
    "truncated": (cut("tokenizer.json", 0.7), "tokenizer.json: line"),
    "no merges": (edit_json("tokenizer.json", lambda found: found["model"].pop("merges")), "no merges"),
    "word piece": (edit_json("tokenizer.json", lambda found: found["model"].update(type="WordPiece")), "byte-level"),
    "prefix space": (edit_json("tokenizer.json", lambda found: found["pre_tokenizer"].update(add_prefix_space=True)),
                     "prefix space"),
    "id twice": (edit_json("tokenizer.json", lambda found: found["model"]["vocab"].update(a=5)), "id 5 belongs"),
    "byte absent": (edit_json("tokenizer.json", lambda found: found["model"].update(vocab={"[CLS]": 0})), "256 single"),
    "merge of one": (edit_json("tokenizer.json", lambda found: found["model"]["merges"].insert(0, ["a"])), "merge 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_tokenizer_json_names_the_file(trained, tmp_path, name):
    trained.save(tmp_path)
    spoil, message = BROKEN_JSON[name]
    spoil(tmp_path)
    with pytest.raises(UserError, match=f"tokenizer.json.*{message}|{message}"):
        load_tokenizer(tmp_path)


def test_bad_requests_are_refused(trained):
    with pytest.raises(UserError, match="text 1 holds half a surrogate pair.*character 2"):
        trained.encode_batch(["good", "ab\ud800"])
    with pytest.raises(UserError, match="text 1 holds half"):
        train_tokenizer(["good", "\udfff"], 400, lowercase=False)
    with pytest.raises(UserError, match="no text"):
        train_tokenizer(iter(()), 400, lowercase=False)
    with pytest.raises(UserError, match=f"at least {SMALLEST_VOCABULARY}"):
        train_tokenizer(TEXTS, 100, lowercase=False)


DOGS = ["a dog"] * 9


def test_a_fingerprint_tells_tokenizers_of_one_size_apart(tmp_path):
    one, same, cased, other = (
        train_tokenizer(texts, 300, lowercase)
        for texts, lowercase in ((DOGS, True), (DOGS, True), (DOGS, False), (["my cat"], True))
    )
    one.save(tmp_path)
    assert one.fingerprint() == same.fingerprint() == load_tokenizer(tmp_path).fingerprint()
    assert len({one.fingerprint(), cased.fingerprint(), other.fingerprint()}) == 3
