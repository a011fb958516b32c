"""Our tokenizer against the Java one, where there is Java, and its answers written down, where there is none."""

import shutil
import subprocess

import numpy as np
import pytest

from tests.metrics.sentences import coco_folder
from unimo_paddle.metrics.ptb import tokens, tokens_with_marks

SAID = {
    "A man's dog (brown) isn't running...": "a man 's dog -lrb- brown -rrb- is n't running ...",
    "well-known black/white co-op, e.g. U.S. flags.": "well-known black/white co-op , e.g. u.s. flags .",
    "I cannot, they'd've, gonna; mr. Smith & St. John": "i can not , they 'd 've , gon na ; mr. smith & st. john",
    "3.5 meters at 5:30pm, $5.00 and 50% of 1,000": "3.5 meters at 5:30 pm , $ 5.00 and 50 % of 1,000",
    "rock'n'roll 80's o'clock dogs' toys": "rock 'n' roll 80 's o'clock dogs ' toys",
    "hello!!! what?! a--b": "hello !!! what ?! a -- b",
    "it’s No. 5, no. J. Smith": "it 's no. 5 , no . j. smith",
    "foo_bar @home #1 #tag 1/2 4x4": "foo_bar @home # 1 #tag 1/2 4x4",
    'a "quoted" word': "a `` quoted '' word",
    "  ": "",
}

SUBJECTS = ["A man's dog", "two black-and-white cats", "Mr. Smith", "the T.V. set", "a 12-year-old boy"]
SUBJECTS += ["The U.S. flag", "don't walk sign"]
SUBJECTS += ['a sign that says "stop"', "a t-shirt (blue)", "3 or 4 people", "a skier, #42"]
VERBS = ["is sitting on", "isn't near", "can't see", "who's holding", "and/or", "rides", "- with -", "; beside"]
OBJECTS = ["a bench.", "the dogs' toys!", "St. Mary's church", "1,000 balloons...", "1/2 of a pizza ?", "$5.00 bill"]


def java(lines):
    if shutil.which("java") is None:
        pytest.skip("there is no java")
    words = ["java", "-cp", str(coco_folder() / "tokenizer" / "stanford-corenlp-3.4.1.jar")]
    words += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    done = subprocess.run(words, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.split("\n")[:-1]]


@pytest.mark.parametrize("text", SAID)
def test_what_java_says(text):
    assert " ".join(tokens_with_marks(text)) == SAID[text]


def test_marks_are_taken_out():
    assert " ".join(tokens("A man's (brown) dog: it's, well - \"here\"!")) == "a man 's brown dog it 's well here"
    assert tokens("what?! yes!!") == ["what", "?!", "yes", "!!"]  # as coco-caption leaves them


def test_java_says_it_still():
    texts = [text for text in SAID if text.strip()]
    assert [" ".join(line) for line in java(texts)] == [SAID[text] for text in texts]


def test_equal_to_java_on_thousands_of_captions():
    rng = np.random.default_rng(0)
    captions = [f"{rng.choice(SUBJECTS)} {rng.choice(VERBS)} {rng.choice(OBJECTS)}" for _ in range(3000)]
    said = zip(captions, java(captions), strict=True)
    assert [caption for caption, want in said if tokens_with_marks(caption) != want] == []
