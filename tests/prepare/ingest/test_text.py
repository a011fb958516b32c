"""The dumps of text corpora: BookCorpus, OpenWebText, Wikipedia; the sound file, and one of each that is not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prepare.ingest.packing import PACK, openwebtext, tar
from unimo_paddle.corpus import CHARACTERS_PER_SHARD, Corpus, Text
from unimo_paddle.errors import UserError
from unimo_paddle.prepare.ingest import archives, text
from unimo_paddle.prepare.ingest.text import ingest_text

ARTICLES = '''<doc id="12" url="https://en.wikipedia.org/wiki?curid=12" title="Anarchism">
Anarchism

Anarchism is a &quot;political philosophy&quot; &amp; a movement.
Its roots are old.

</doc>
<doc id="13" url="https://en.wikipedia.org/wiki?curid=13" title="A "redirect"">
A "redirect"


</doc>
<doc id="25" url="https://en.wikipedia.org/wiki?curid=25" title="Autism">
Autism

The sign &lt;doc&gt; begins no article.

</doc>
'''
OBJECTS = [{"id": "12", "revid": "1", "url": "https://en.wikipedia.org/wiki?curid=12", "title": "Anarchism",
            "text": "Anarchism is a &quot;political philosophy&quot; &amp; a movement.\nIts roots are old."},
           {"id": "13", "revid": "1", "url": "https://en.wikipedia.org/wiki?curid=13", "title": "R", "text": ""},
           {"id": "25", "revid": "9", "url": "", "title": "Autism", "text": "The sign &lt;doc&gt; begins no article."}]
WANTED = [Text("wikipedia:12", 'Anarchism is a "political philosophy" & a movement.\nIts roots are old.'),
          Text("wikipedia:25", "The sign <doc> begins no article.")]


@pytest.mark.parametrize("ending", ["", ".bz2", ".gz"])   # WikiExtractor's --compress writes .bz2
@pytest.mark.parametrize("content", [ARTICLES, "\n".join(map(json.dumps, OBJECTS))], ids=["doc", "json"])
def test_wikipedia(tmp_path: Path, ending: str, content: str) -> None:
    folder = tmp_path / "wiki/AA"
    folder.mkdir(parents=True)
    data = content.encode()
    (folder / f"wiki_00{ending}").write_bytes(PACK[ending](data) if ending else data)
    (folder / ".DS_Store").write_bytes(b"\0\xff")
    assert ingest_text(tmp_path / "c", [tmp_path / "wiki"], document="wikipedia") == {"train": {"texts": 2}}
    assert list(Corpus(tmp_path / "c").texts("train")) == WANTED


@pytest.mark.parametrize(("content", "fault"), [
    ("words\n" + ARTICLES, ":1: 'words' stands outside of an article"),
    (ARTICLES.replace("</doc>", "", 1), ":8: the article before has no </doc>; it begins in line 1"),
    (ARTICLES[:-8], ": the last article has no </doc>: it begins in line 13; is the file cut?"),
    (ARTICLES.replace('id="25"', 'id="x"'), ":13: '<doc id=\"x\""),
    (ARTICLES.replace('id="25"', 'id="12"'), ":13: the id 'wikipedia:12' is used twice"),
    (json.dumps(OBJECTS[0]) + "\n{", ":2: this is not JSON, one article a line"),
    (json.dumps(OBJECTS[0]) + '\n{"id": "x", "text": "t"}', ":2: an object with `id` (a number) and `text` is wanted"),
    ('{"id": "1"}', ":1: an object with `id` (a number) and `text` is wanted"),
])
def test_wikipedia_faults(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "wiki_00"
    path.write_text(content)
    with pytest.raises(UserError, match=r" 1 faults and was not taken in(.|\n)*" + re.escape(f"{path}{fault}")):
        ingest_text(tmp_path / "c", [path], document="wikipedia")
    if content.startswith("<doc"):
        counts = ingest_text(tmp_path / "c", [path], document="wikipedia", skip_faulty=True)
        assert counts["train"]["texts"] == 1


def test_openwebtext(tmp_path: Path) -> None:
    subsets = {"urlsf_subset00-1": {"0001-a.txt": b"One.\n\nStill one.\n", "0002-b.txt": b" \n"},
               "urlsf_subset00-2": {"0001-a.txt": b"Two.\n"}}
    path = tmp_path / "openwebtext.tar.xz"
    path.write_bytes(openwebtext(subsets))
    ingest_text(tmp_path / "c", [path], document="file")
    place = "openwebtext/urlsf_subset00"
    assert list(Corpus(tmp_path / "c").texts("train")) == [
        Text(f"openwebtext.tar.xz/{place}-1_data.xz/0001-a.txt", "One.\nStill one."),
        Text(f"openwebtext.tar.xz/{place}-2_data.xz/0001-a.txt", "Two.")]
    unpacked = tmp_path / "openwebtext"   # the same after the outer tar was unpacked
    unpacked.mkdir()
    for name, texts in subsets.items():
        (unpacked / f"{name}_data.xz").write_bytes(PACK[".xz"](tar(texts)))
    ingest_text(tmp_path / "d", [unpacked], document="file")
    assert [each.text for each in Corpus(tmp_path / "d").texts("train")] == ["One.\nStill one.", "Two."]


def test_openwebtext_faults_name_the_member(tmp_path: Path) -> None:
    whole = PACK[".xz"](tar({"a.txt": b"good\n"}))
    path = tmp_path / "o.tar"
    strange = PACK[".xz"](tar({"b.txt": b"\xff"}))
    path.write_bytes(tar({"1_data.xz": whole, "2_data.xz": whole[:-20], "3_data.xz": strange}))
    with pytest.raises(UserError) as caught:
        ingest_text(tmp_path / "c", [path], document="file")
    assert f"{path}/2_data.xz" in str(caught.value) and f"{path}/3_data.xz/b.txt:1: byte 0 (0xff)" in str(caught.value)
    assert f"{path}/1_data.xz" not in str(caught.value)


def test_books(tmp_path: Path) -> None:
    lines = tmp_path / "books_large_p1.txt.zst"   # BookCorpus: a sentence a line
    lines.write_bytes(PACK[".zst"](b"the first .\nthe second .\n"))
    ingest_text(tmp_path / "l", [lines])
    assert [each.id for each in Corpus(tmp_path / "l").texts("train")] == [f"{lines.name}:1", f"{lines.name}:2"]
    books = tmp_path / "books1.tar.gz"            # BookCorpusOpen: a book a file
    members = {"books1/epubtxt/a.epub.txt": b"Chapter 1\n\nWords.\n", "books1/._a.txt": b"\xff"}
    books.write_bytes(PACK[".gz"](tar(members)))
    ingest_text(tmp_path / "f", [books], document="file")
    assert list(Corpus(tmp_path / "f").texts("train")) == [
        Text("books1.tar.gz/books1/epubtxt/a.epub.txt", "Chapter 1\nWords.")]


def test_a_file_too_long_for_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MOST_A_DOCUMENT", 50)
    (tmp_path / "a.txt").write_text("twenty characters ..\n" * 3)
    with pytest.raises(UserError, match=r"a\.txt: the file has more than 50 characters; is it one document\?"):
        ingest_text(tmp_path / "c", [tmp_path / "a.txt"], document="file")


DYING = """
import os, sys
from pathlib import Path
from unimo_paddle.prepare.ingest import intake
add = intake.CorpusWriter.add
def add_or_die(writer, split, record):
    add(writer, split, record)
    if record.id.endswith(":55000"):
        os._exit(9)
intake.CorpusWriter.add = add_or_die
from unimo_paddle.prepare.ingest.text import ingest_text
ingest_text(Path(sys.argv[1]), [Path(sys.argv[2])])
"""


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    dump = tmp_path / "a.txt.xz"
    dump.write_bytes(PACK[".xz"](b"".join(b"line %d\n" % i for i in range(60_000))))
    assert subprocess.run([sys.executable, "-c", DYING, tmp_path / "c", dump], check=False).returncode == 9
    first = tmp_path / "c/texts-train-00000.arrow"
    stamp = first.stat().st_mtime_ns
    ingest_text(tmp_path / "c", [dump])
    ingest_text(tmp_path / "whole", [dump])
    assert first.stat().st_mtime_ns == stamp
    for shard in (tmp_path / "whole").glob("*.arrow"):
        assert (tmp_path / "c" / shard.name).read_bytes() == shard.read_bytes()


def test_the_longest_document_fits_into_a_shard() -> None:
    assert archives.MOST_A_DOCUMENT < CHARACTERS_PER_SHARD
