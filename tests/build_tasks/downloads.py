"""Every task's data as it comes, in the public format and as the released archive: 8 examples to train on (of VQA more,
or no answer would be frequent), 4 to judge by."""

import gzip
import json
from pathlib import Path

from tests.data.small_corpus import regions_of
from tests.data.small_task import sentence
from tests.prepare.tasks import test_coqa, test_glue, test_snli_ve, test_squad_qg, test_vqa
from tests.prepare.tasks.karpathy_file import dataset, flickr, image
from tests.prepare.tasks.task_folder import write
from tests.region_tools import foreign
from unimo_paddle.data.tokenizer import Tokenizer, train_tokenizer
from unimo_paddle.regions import RegionStore, RegionStoreWriter, StoreMeta
from unimo_paddle.tasks import TASKS

Files = dict[str, str | bytes]
TRAIN, JUDGED, QUESTIONS = 8, 4, 20
ROWS = {"train": range(TRAIN), "dev": range(TRAIN, TRAIN + JUDGED), "test": range(TRAIN + JUDGED, TRAIN + 2 * JUDGED)}
IMAGES = 2 * QUESTIONS
MNLI = ("contradiction", "entailment", "neutral")


def write_tokenizers(folder: Path) -> None:
    """One vocabulary in two folders: `trained`, and `released` with the three files of the release."""
    trained = train_tokenizer([sentence(n) for n in range(40)], 290, lowercase=False)
    trained.save(folder / "trained")
    pieces, merges = trained._vocabulary.pieces, trained._vocabulary.merges
    own = {piece: number - 4 for piece, number in pieces.items() if 4 <= number < len(pieces) - 1}
    rows = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", *map(str, range(len(own))), "[MASK]"]
    write(folder / "released", {
        "vocab.txt": "".join(f"{row}\n" for row in rows),
        "encoder.json": json.dumps(own),
        "vocab.bpe": "#version: 0.2\n" + "".join(f"{left} {right}\n" for left, right in merges),
    })  # fmt: skip


def write_store(path: Path) -> RegionStore:
    """Regions of all images, under their numbers and as COCO's archive calls them."""
    meta = StoreMeta("test", 4, ("__background__", "dog", "cat"), 2, "none")
    with RegionStoreWriter(path, meta, images_per_shard=50) as writer:
        for number in range(IMAGES):
            for name in (str(number), coco_name(number)):
                writer.append(name, regions_of(number % 10))
    return RegionStore(path)


def coco_name(number: int) -> str:
    return f"val2014__{number:06d}"


def download(task: str, layout: str, tokenizer: Tokenizer) -> Files:
    """Return the files of a task's download."""
    if layout == "public":
        return PUBLIC[task]()
    kind = TASKS[task].formats["release"]
    return glue_release(task) if kind == "glue_release" else RELEASE[kind](task, tokenizer)


def _sst2() -> Files:
    made = {f"{split}.tsv": "sentence\tlabel\n" + "".join(f"{sentence(n)}\t{n % 2}\n" for n in rows)
            for split, rows in ROWS.items() if split != "test"}  # fmt: skip
    return made | {"test.tsv": "index\tsentence\n" + "".join(f"{n}\t{sentence(n)}\n" for n in ROWS["test"])}


def _cola() -> Files:
    made = {f"{split}.tsv": "".join(f"gj04\t{n % 2}\t\t{sentence(n)}\n" for n in rows)
            for split, rows in ROWS.items() if split != "test"}  # fmt: skip
    return made | {"test.tsv": "index\tsentence\n" + "".join(f"{n}\t{sentence(n)}\n" for n in ROWS["test"])}


def _mnli() -> Files:
    names = {"train": "train", "dev": "dev_matched", "test": "dev_mismatched"}
    made: Files = {}
    for split, rows in ROWS.items():
        lines = [test_glue.mnli_row(n, sentence(n), sentence(n + 1), "x", MNLI[n % 3]) for n in rows]
        made[f"{names[split]}.tsv"] = test_glue.MNLI_HEAD + "".join(lines)
    return made


def _stsb() -> Files:
    head = f"{test_glue._STSB}\tscore\n"
    return {f"{split}.tsv": head + "".join(
        f"{n}\tcaptions\tx\t2012\t1\tnone\tnone\t{sentence(n)}\t{sentence(n + 1)}\t{n % 6}.5\n" for n in rows)
        for split, rows in ROWS.items()}  # fmt: skip


def _coqa() -> Files:
    def story(n: int) -> dict[str, object]:
        asked, answered = (test_coqa.said(*(sentence(n + turn) for turn in range(2))) for _ in range(2))
        return {**test_coqa.STORY, "id": f"s{n}", "story": sentence(n), "questions": asked, "answers": answered}

    def judged(n: int) -> dict[str, object]:
        one = story(n)
        return {**one, "additional_answers": {"0": test_coqa.said(sentence(n), "a dog")}}

    made = {"train": [story(n) for n in range(TRAIN // 2)], "dev": [judged(n) for n in range(JUDGED // 2)]}
    return {f"coqa-{split}-v1.0.json": json.dumps({"version": "1.0", "data": told}) for split, told in made.items()}


def _squad_qg() -> Files:
    files: Files = {}
    for split, rows in ROWS.items():
        asked = [test_squad_qg.article(f"a{n}", sentence(n), test_squad_qg.asked(str(n), sentence(n + 1), f"dog {n}"))
                 for n in rows]  # fmt: skip
        files[f"{split}.json"] = json.dumps(asked)
    return files


def _pairs_of_lines(source: str, target: str) -> Files:
    made: Files = {}
    for split, rows in ROWS.items():
        name = {"dev": "val" if source == "source" else "valid"}.get(split, split)
        ending = "" if source == "source" else ".txt"
        made[f"{name}.{source}{ending}"] = "".join(f"{sentence(n)}\n" for n in rows)
        made[f"{name}.{target}{ending}"] = "".join(f"{sentence(n + 1)}\n" for n in rows)
    return made


def _vqa() -> Files:
    sets = {"train2014": range(QUESTIONS), "val2014": range(QUESTIONS, QUESTIONS + JUDGED)}
    kinds = ("yes/no", "other")
    return dict(test_vqa.download({
        split: [test_vqa.annotation(1000 * n, ["yes" if n % 2 else "no"] * 7 + ["maybe"] * 3, kind=kinds[n // 2 % 2])
                for n in rows]
        for split, rows in sets.items()
    }))  # fmt: skip


def _karpathy_captions() -> Files:
    splits = {"train": "train", "dev": "val", "test": "test"}
    entries = [image(n, splits[split], sentence(n), sentence(n + 1)) for split, rows in ROWS.items() for n in rows]
    return {"dataset_coco.json": dataset(*entries)}


def _karpathy_retrieval() -> Files:
    splits = {"train": "train", "dev": "val", "test": "test"}
    entries = [flickr(n, splits[split], sentence(n)) for split, rows in ROWS.items() for n in rows]
    return {"dataset_flickr30k.json": dataset(*entries)}


def _snli_ve() -> Files:
    return {f"snli_ve_{split}.jsonl": test_snli_ve.lines(*(
        test_snli_ve.told(n, MNLI[n % 3], sentence2=sentence(n), Flickr30K_ID=str(n)) for n in rows))
        for split, rows in ROWS.items()}  # fmt: skip


def custom(**fields: object) -> Files:
    """A user's own lines; a field's value may be a function of the record's number."""
    def line(n: int) -> str:
        told = {name: value(n) if callable(value) else value for name, value in fields.items()}
        return json.dumps({"id": str(n), **told}) + "\n"

    return {f"{split}.jsonl": "".join(map(line, rows)) for split, rows in ROWS.items()}


PUBLIC = {
    "sst2": _sst2,
    "cola": _cola,
    "mnli": _mnli,
    "stsb": _stsb,
    "coqa": _coqa,
    "squad_qg": _squad_qg,
    "cnndm": lambda: _pairs_of_lines("source", "target"),
    "gigaword": lambda: _pairs_of_lines("article", "title"),
    "vqa": _vqa,
    "vqa_generation": _vqa,
    "coco_caption": _karpathy_captions,
    "flickr30k": _karpathy_retrieval,
    "snli_ve": _snli_ve,
    "custom_classification": lambda: custom(text=sentence, label=lambda n: ("good", "bad")[n % 2]),
    "custom_image_classification": lambda: custom(image=str, text=sentence, label=lambda n: n % 2),
    "custom_regression": lambda: custom(text=sentence, text_b="a dog", label=lambda n: n / 4),
    "custom_retrieval": lambda: custom(image=str, text=sentence),
    "custom_generation": lambda: custom(text=sentence, target=lambda n: sentence(n + 1)),
    "custom_captioning": lambda: custom(image=str, target=sentence),
}


def glue_release(task: str) -> Files:
    is_pair, classes = task in ("mnli", "stsb"), {"mnli": 3}.get(task, 2)

    def table(rows: range) -> str:
        labels = [f"{n % 6}.5" if task == "stsb" else str(n % classes) for n in rows]
        second = [f"{sentence(n + 1)}\t" if is_pair else "" for n in rows]
        head = "text_a\t" + ("text_b\t" if is_pair else "") + "label\n"
        return head + "".join(f"{sentence(n)}\t{b}{label}\n" for n, b, label in zip(rows, second, labels, strict=True))

    if task == "mnli":
        return {"train.tsv": table(ROWS["train"]), "m/dev.tsv": table(ROWS["dev"]), "mm/dev.tsv": table(ROWS["test"])}
    return {f"{split}.tsv": table(rows) for split, rows in ROWS.items()}


def seq2seq_release(task: str, tokenizer: Tokenizer) -> Files:
    """GPT-2's ids in decimals; a dialogue has three turns and a passage."""
    def ids(text: str) -> str:
        (tokens,) = tokenizer.encode_batch([text])
        return " ".join(str(number - 4) for number in tokens.ids.tolist())

    names = {"cnndm": "dev.2k.tsv", "gigaword": "dev.20k.tsv"}
    made: Files = {}
    for split, rows in ROWS.items():
        if task == "coqa":
            lines = [" [SEP] ".join(ids(sentence(n + k)) for k in range(3)) + f"\t{ids(sentence(n))}" for n in rows]
        else:
            lines = [ids(sentence(n)) for n in rows]
        told = [f"{line}\t{ids(sentence(n + 1))}\n" for line, n in zip(lines, rows, strict=True)]
        head = "src\tknowledge\ttgt\n" if task == "coqa" else "src\ttgt\n"
        made[names.get(task, "dev.tsv") if split == "dev" else f"{split}.tsv"] = head + "".join(told)
    return made


def framed(text: str, tokenizer: Tokenizer) -> str:
    """The ids of a text between [CLS] and [SEP], as the archives with pictures have them."""
    (tokens,) = tokenizer.encode_batch([text])
    return " ".join(map(str, [0, *tokens.ids.tolist(), 2]))


def coco_release(_: str, tokenizer: Tokenizer) -> Files:
    names, made = {"dev": "valid"}, dict[str, str | bytes]()
    for split, rows in ROWS.items():
        lines = [foreign.caption(foreign.found(coco_name(n), n), framed(sentence(n), tokenizer))
                 .replace(";c1;", f";c{n};", 1) for n in rows]  # fmt: skip
        name = names.get(split, split)
        made[f"{name}_filelist"] = f"{name}.txt\n"
        made[f"{name}.txt"] = "".join(f"{line}\n" for line in lines)
    tags = [f"{n};{framed('dog', tokenizer)};0 0 0;2 3 4\n" for rows in ROWS.values() for n in rows]
    entries = [image(n, {"dev": "val"}.get(split, split), sentence(n)) for split, rows in ROWS.items() for n in rows]
    return made | {"coco_object_0.35_tot.ids": "".join(tags), "dataset_coco.json": dataset(*entries)}


def flickr30k_release(_: str, tokenizer: Tokenizer) -> Files:
    names = {"train": "train.ids", "dev": "val.all.ids", "test": "test.all.ids"}
    return {f"flickr30k-textids/{names[split]}": "".join(
        f"{framed(sentence(n), tokenizer)};0 0 0;2 3 4;{n};{n}\n" for n in rows)
        for split, rows in ROWS.items()}  # fmt: skip


def snli_ve_release(_: str, tokenizer: Tokenizer) -> Files:
    made: Files = {}
    for split, rows in ROWS.items():
        lines = [foreign.entailment(foreign.found(str(n), n), framed(sentence(n), tokenizer))
                 .replace(";d1;2;", f";d{n};{n % 3};", 1) for n in rows]  # fmt: skip
        made[f"bbox100/{split}_filelist"] = f"{split}.gz\n"
        made[f"bbox100/{split}.gz"] = gzip.compress("".join(f"{line}\n" for line in lines).encode())
    return made


RELEASE = {
    "seq2seq_release": seq2seq_release,
    "coco_release": coco_release,
    "flickr30k_release": flickr30k_release,
    "snli_ve_release": snli_ve_release,
}
