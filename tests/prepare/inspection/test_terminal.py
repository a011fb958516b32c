"""The terminal view: signs without colours, codes with them, nothing that commands the terminal."""

import io
import re
from pathlib import Path

import pytest

from tests.prepare.whole_corpus import CAPTIONS
from unimo_paddle.corpus import Corpus
from unimo_paddle.plain_text import columns, visible
from unimo_paddle.prepare.inspection.gather import gather
from unimo_paddle.prepare.inspection.run import inspect
from unimo_paddle.prepare.inspection.terminal import Paint, lines
from unimo_paddle.regions import RegionStore


def shown(corpus: Path, pair_id: str, colour: bool = False, store: Path | None = None) -> list[str]:
    return list(lines(gather(Corpus(corpus), pair_id, RegionStore(store) if store else None), Paint(colour)))


def test_plain_lines_tell_everything(whole: Path, store: Path) -> None:
    told = shown(whole, "i0:0", store=store)
    assert told[0].startswith("pair i0:0  row 0 of train") and told[1] == CAPTIONS[0]
    for line in ("  also: A dog on a couch.", "  sofa 0.85", "  dog (singular, small)", "  dog --sit on--> sofa",
                 "  A small dog is sitting on a red sofa.  apertium:spa 0.970", "  A dog on a couch.  caption -",
                 "hard negatives (300)", "  word level (100)", "  ... and 90 more",
                 "  0.800 Two cats near a blue car  i1:0",
                 "  A small [-dog-]{+cat0+} sits on a red sofa.  object: dog -> cat"):  # fmt: skip
        assert line in told, line
    assert "\x1b" not in "".join(told)


def test_colours_are_codes_around_the_same_words(whole: Path) -> None:
    plain = [re.sub(r"\[-|-\]|\{\+|\+\}", "", line) for line in shown(whole, "i0:0")]
    coloured = shown(whole, "i0:0", colour=True)
    assert any("\x1b[9;31mdog\x1b[0m\x1b[1;4;32mcat0\x1b[0m" in line for line in coloured)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured] == plain


def test_absent_collections_name_their_command(bare: Path) -> None:
    told = "\n".join(shown(bare, "i0:0"))
    assert "retrieved images\n  the pairs of split 'train'" in told and "tools/prepare.py retrieve" in told


def test_a_caption_cannot_command_the_terminal(whole: Path) -> None:
    told = shown(whole, "i1:1")
    assert told[1].endswith("\\u202egnp.txe \\x1b[31m")
    assert all(line.isprintable() for line in told)


def test_missing_pictures_are_told(whole: Path, tmp_path: Path) -> None:
    view = gather(Corpus(whole), "i0:0", None)
    object.__setattr__(view.image, "path", tmp_path / "gone.jpg")
    assert any(line.endswith("320 x 240, MISSING") for line in lines(view, Paint(False)))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                                                     ({"NO_COLOR": ""}, True)])
def test_colours_only_where_they_are_wanted(whole: Path, monkeypatch: pytest.MonkeyPatch, variables: dict,
                                            coloured: bool) -> None:
    terminal = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", terminal)
    inspect(whole, "i0:0", None, None)
    assert ("\x1b[1m" in terminal.getvalue()) == coloured


def test_a_pipe_gets_no_colours_and_the_page_is_named(whole: Path, tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    inspect(whole, "i0:0", None, tmp_path / "deep" / "page.html")
    out = capsys.readouterr().out
    assert "\x1b" not in out and out.endswith(f"page: {tmp_path}/deep/page.html\n")
    assert (tmp_path / "deep" / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_visible_spells_out_what_does_not_show() -> None:
    assert visible("a\tb\r\nc\x00\u200b\u2066é猫\u200d") == "a b c\\x00\\u200b\\u2066é猫\u200d"
    assert columns("猫a") == 3 and columns("e\u0301") == 1
