"""Write the scenes as the public data sets are written, so that one reader serves the small world and the real data.

Every file is atomic; ids are the same in all formats (image_id from 1; a caption's id is its place in the whole set).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from unimo_paddle.files import atomic_write
from unimo_paddle.prepare.small_world.captions import CAPTIONS
from unimo_paddle.prepare.small_world.entailment import Hypothesis
from unimo_paddle.prepare.small_world.language import Statement, described
from unimo_paddle.prepare.small_world.questions import Question
from unimo_paddle.prepare.small_world.scene import HEIGHT, RELATIONS, WIDTH, Box, Placed, Scene, World

Json = dict[str, Any]

_LICENCES = {"stamps": "GPL-2.0-or-later, parts GFDL or CC-BY-SA (Tux Paint stamps)", "shapes": "CC0-1.0"}
_OBJECTS_AN_IMAGE = 10                      # object ids: image_id * 10 + position
_ENTAILMENT_SPLITS = {"val": "dev"}         # SNLI-VE calls it so


@dataclass(frozen=True)
class Told:
    """A scene with everything that is said about it."""

    scene: Scene
    captions: tuple[Statement, ...]
    questions: tuple[Question, ...]
    hypotheses: tuple[Hypothesis, ...]

    def caption_id(self, position: int) -> int:
        """Return the id of a caption in COCO, Karpathy and the retrieval files."""
        return (self.scene.image_id - 1) * CAPTIONS + position


def write_coco(folder: Path, world: World, told: Sequence[Told], split: str) -> None:
    """Write instances_<split>.json and captions_<split>.json; bbox is x y width height in pixels."""
    numbers = {name: number for number, name in enumerate(world.names, start=1)}
    mine = [each for each in told if each.scene.split == split]
    head = {"info": _info(world), "licenses": [{"id": 1, "name": _LICENCES[world.source], "url": ""}],
            "images": [_coco_image(each.scene) for each in mine]}
    instances = [_instance(each.scene, k, thing, numbers)
                 for each in mine for k, thing in enumerate(each.scene.objects)]
    wider = {cutout.name: cutout.kinds[0] if cutout.kinds else "thing" for cutout in world.cutouts}
    categories = [{"id": number, "name": name, "supercategory": wider[name]} for name, number in numbers.items()]
    _write_json(folder / f"instances_{split}.json", {**head, "annotations": instances, "categories": categories})
    captions = [{"id": each.caption_id(k), "image_id": each.scene.image_id, "caption": caption.text}
                for each in mine for k, caption in enumerate(each.captions)]
    _write_json(folder / f"captions_{split}.json", {**head, "annotations": captions})


def write_karpathy(folder: Path, told: Sequence[Told]) -> None:
    """Write dataset.json as Karpathy's dataset_coco.json; its splits are train, val, test and composition."""
    images = []
    for each in told:
        scene = each.scene
        sentences = [{"tokens": _tokens(caption.text), "raw": caption.text, "imgid": scene.image_id - 1,
                      "sentid": each.caption_id(k)} for k, caption in enumerate(each.captions)]
        images.append({"filepath": scene.split, "filename": Path(scene.file_name).name, "split": scene.split,
                       "imgid": scene.image_id - 1, "cocoid": scene.image_id, "sentences": sentences,
                       "sentids": [sentence["sentid"] for sentence in sentences]})
    _write_json(folder / "dataset.json", {"images": images, "dataset": "coco"})


def write_visual_genome(folder: Path, world: World, told: Sequence[Told]) -> None:
    """Write the true scene graphs of all splits, with size as an attribute, and the vocabularies (one word a line)."""
    scenes = [each.scene for each in told]
    relation_ids = count(1)
    _write_json(folder / "image_data.json", [_genome_image(scene) for scene in scenes])
    _write_json(folder / "objects.json", [
        {"image_id": scene.image_id, "objects": [{**_genome_object(scene, k), "merged_object_ids": []}
                                                 for k in range(len(scene.objects))]} for scene in scenes])
    _write_json(folder / "attributes.json", [
        {"image_id": scene.image_id, "attributes": [{**_genome_object(scene, k), "attributes": list(thing.words)}
                                                    for k, thing in enumerate(scene.objects)]} for scene in scenes])
    _write_json(folder / "relationships.json", [
        {"image_id": scene.image_id, "relationships": [
            {"relationship_id": next(relation_ids), "predicate": relation, "synsets": [],
             "subject": _genome_object(scene, i), "object": _genome_object(scene, j)}
            for i, relation, j in scene.relations()]} for scene in scenes])
    _write_json(folder / "region_descriptions.json", [
        {"id": scene.image_id, "regions": [_region(scene, k, thing) for k, thing in enumerate(scene.objects)]}
        for scene in scenes])
    words = {word for cutout in world.cutouts for word in cutout.words} | {"small", "large"}
    for name, lines in (("objects", world.names), ("attributes", sorted(words)), ("relations", RELATIONS)):
        _write_lines(folder / f"{name}_vocab.txt", lines)


def write_vqa(folder: Path, world: World, told: Sequence[Told], split: str) -> None:
    """Write v2_OpenEnded_<split>_questions.json and v2_<split>_annotations.json, ten answers a question."""
    asked = [(each.scene.image_id, each.scene.image_id * 100 + k, question)
             for each in told if each.scene.split == split for k, question in enumerate(each.questions)]
    head = {"info": _info(world), "data_type": "small_world", "data_subtype": split,
            "license": {"name": _LICENCES[world.source], "url": ""}}
    questions = [{"image_id": image, "question": question.text, "question_id": number}
                 for image, number, question in asked]
    annotations = [{"image_id": image, "question_id": number, "question_type": question.kind,
                    "answer_type": question.answer_type, "multiple_choice_answer": question.answer,
                    "answers": _answers(question)} for image, number, question in asked]
    _write_json(folder / f"v2_OpenEnded_{split}_questions.json",
               {**head, "task_type": "Open-Ended", "questions": questions})
    _write_json(folder / f"v2_{split}_annotations.json", {**head, "annotations": annotations})


def write_snli_ve(folder: Path, told: Sequence[Told], split: str) -> None:
    """Write snli_ve_<split>.jsonl (the validation split is called dev); sentence1 is the image's first caption."""
    lines = []
    for each in told:
        if each.scene.split == split:
            lines += [json.dumps(_entailment(each, k, hypothesis), ensure_ascii=False)
                      for k, hypothesis in enumerate(each.hypotheses)]
    _write_lines(folder / f"snli_ve_{_ENTAILMENT_SPLITS.get(split, split)}.jsonl", lines)


def write_caption_graphs(path: Path, told: Sequence[Told]) -> None:
    """Write what each caption says, a line of JSON a caption, so that a scene-graph parser can be judged.

    id: as in the corpus that is made of dataset.json.  objects: names.  attributes: [object's index, word].
    relations: [index, relation, index].  background: its phrase, or "".  count: of the things in the picture, or 0.
    """
    lines = [json.dumps(_caption_graph(each, k, caption), ensure_ascii=False)
             for each in told for k, caption in enumerate(each.captions)]
    _write_lines(path, lines)


def _caption_graph(each: Told, position: int, caption: Statement) -> Json:
    return {"id": str(each.caption_id(position)), "split": each.scene.split, "caption": caption.text,
            "objects": [thing.name for thing in caption.things],
            "attributes": [[k, word] for k, thing in enumerate(caption.things) for word in thing.words],
            "relations": [list(relation) for relation in caption.relations],
            "background": caption.background, "count": caption.count}


def _write_json(path: Path, value: Any) -> None:
    """On one line, as the public files are: it is ten times faster than indented, and these are for programs."""
    _write_lines(path, [json.dumps(value, ensure_ascii=False)])


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path, "w") as file:
        file.writelines(f"{line}\n" for line in lines)


def _info(world: World) -> Json:
    return {"description": f"unimo_paddle small world ({world.source})", "version": "1", "year": 2024}


def _coco_image(scene: Scene) -> Json:
    return {"id": scene.image_id, "file_name": scene.file_name, "width": WIDTH, "height": HEIGHT, "license": 1}


def _instance(scene: Scene, position: int, thing: Placed, numbers: dict[str, int]) -> Json:
    x1, y1, x2, y2 = thing.box
    return {"id": _object_id(scene, position), "image_id": scene.image_id, "category_id": numbers[thing.cutout.name],
            "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0,
            "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]]}


def _tokens(text: str) -> list[str]:
    """Split as Karpathy did: lower case, punctuation gone."""
    return "".join(sign if sign.isalnum() or sign in "'- " else " " for sign in text.lower()).split()


def _object_id(scene: Scene, position: int) -> int:
    return scene.image_id * _OBJECTS_AN_IMAGE + position


def _genome_image(scene: Scene) -> Json:
    return {"image_id": scene.image_id, "url": f"images/{scene.file_name}", "width": WIDTH, "height": HEIGHT,
            "coco_id": scene.image_id, "flickr_id": None}


def _corner(box: Box) -> Json:
    return {"x": box[0], "y": box[1], "w": box[2] - box[0], "h": box[3] - box[1]}


def _genome_object(scene: Scene, position: int) -> Json:
    thing = scene.objects[position]
    return {"object_id": _object_id(scene, position), **_corner(thing.box), "names": [thing.cutout.name],
            "name": thing.cutout.name, "synsets": []}


def _region(scene: Scene, position: int, thing: Placed) -> Json:
    x1, y1, x2, y2 = thing.box
    return {"region_id": _object_id(scene, position), "image_id": scene.image_id,
            "phrase": described(thing, sized=True), "x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}


def _answers(question: Question) -> list[Json]:
    """Ten people: all say the same, or the last two say it another, equally true way."""
    said = [question.answer] * 8 + [question.alternative or question.answer] * 2
    return [{"answer": answer, "answer_confidence": "yes", "answer_id": k} for k, answer in enumerate(said, start=1)]


def _entailment(each: Told, position: int, hypothesis: Hypothesis) -> Json:
    stem = Path(each.scene.file_name).stem
    return {"Flickr30K_ID": stem, "captionID": f"{stem}.jpg#0",
            "pairID": f"{stem}.jpg#0r{position}{hypothesis.label[0]}", "gold_label": hypothesis.label,
            "annotator_labels": [hypothesis.label], "sentence1": each.captions[0].text, "sentence2": hypothesis.text}
