import json

import cv2
import pytest

from unimo_paddle.prepare.small_world.plan import SPLITS

COUNTS = {"train": 60, "val": 6, "test": 30, "composition": 30}


def read(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("split", SPLITS)
def test_coco_instances_point_at_real_pictures(world_folder, split):
    instances = read(world_folder, f"coco/instances_{split}.json")
    assert len(instances["images"]) == COUNTS[split]
    for image in instances["images"]:
        picture = cv2.imread(str(world_folder / "images" / image["file_name"]))
        assert picture.shape == (image["height"], image["width"], 3) == (256, 384, 3)
    categories = {category["id"]: category["name"] for category in instances["categories"]}
    assert list(categories) == list(range(1, len(categories) + 1))
    assert list(categories.values()) == sorted(categories.values())
    images = {image["id"] for image in instances["images"]}
    for box in instances["annotations"]:
        x, y, width, height = box["bbox"]
        assert box["image_id"] in images and box["category_id"] in categories and box["iscrowd"] == 0
        assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= 384 and y + height <= 256
        assert box["area"] == width * height and len(box["segmentation"][0]) == 8
    assert len({box["id"] for box in instances["annotations"]}) == len(instances["annotations"])


def test_karpathy_and_coco_captions_tell_the_same(world_folder):
    images = read(world_folder, "coco/dataset.json")["images"]
    assert read(world_folder, "coco/dataset.json")["dataset"] == "coco"
    for split in SPLITS:
        captions = {c["id"]: (c["image_id"], c["caption"]) for c in
                    read(world_folder, f"coco/captions_{split}.json")["annotations"]}
        told = {s["sentid"]: (image["cocoid"], s["raw"]) for image in images if image["split"] == split
                for s in image["sentences"]}
        assert captions == told and len(captions) == 5 * COUNTS[split]
    for image in images:
        assert (world_folder / "images" / image["filepath"] / image["filename"]).exists()
        assert image["sentids"] == [s["sentid"] for s in image["sentences"]]
        assert all(s["imgid"] == image["imgid"] and " ".join(s["tokens"]).islower() for s in image["sentences"])


def test_the_graph_of_every_caption_is_a_part_of_the_scene_graph(world_folder):
    graphs = [json.loads(line) for line in (world_folder / "caption_graphs.jsonl").read_text().splitlines()]
    told = [(str(s["sentid"]), image["split"], s["raw"], image["cocoid"])
            for image in read(world_folder, "coco/dataset.json")["images"] for s in image["sentences"]]
    assert [(graph["id"], graph["split"], graph["caption"]) for graph in graphs] == [each[:3] for each in told]
    words = {(entry["image_id"], thing["name"]): set(thing["attributes"])
             for entry in read(world_folder, "visual_genome/attributes.json") for thing in entry["attributes"]}
    true = {(entry["image_id"], each["subject"]["name"], each["predicate"], each["object"]["name"])
            for entry in read(world_folder, "visual_genome/relationships.json") for each in entry["relationships"]}
    for graph, (_, _, caption, image) in zip(graphs, told, strict=True):
        names = graph["objects"]
        assert names and all(name in caption.lower() or name in caption for name in names)
        assert all(word in words[image, names[k]] and word in caption.lower() for k, word in graph["attributes"])
        assert all((image, names[i], relation, names[j]) in true for i, relation, j in graph["relations"])
        assert graph["background"] in caption and graph["count"] in (0, *range(2, 5))
    for field in ("attributes", "relations", "background", "count"):
        assert any(graph[field] for graph in graphs)


def test_visual_genome_holds_the_whole_graph(world_folder):
    genome = {name: read(world_folder, f"visual_genome/{name}.json") for name in
              ("image_data", "objects", "attributes", "relationships", "region_descriptions")}
    assert {len(entries) for entries in genome.values()} == {sum(COUNTS.values())}
    lines = {name: (world_folder / f"visual_genome/{name}_vocab.txt").read_text().split("\n") for name in
             ("objects", "attributes", "relations")}
    assert all(vocabulary.pop() == "" and len(set(vocabulary)) == len(vocabulary) for vocabulary in lines.values())
    ids = set()
    for image, objects, attributes, relations in zip(genome["image_data"], genome["objects"], genome["attributes"],
                                                     genome["relationships"], strict=True):
        assert image["image_id"] == objects["image_id"] == attributes["image_id"] == relations["image_id"]
        boxes = {thing["object_id"]: thing for thing in objects["objects"]}
        for thing in attributes["attributes"]:
            assert boxes[thing["object_id"]]["names"] == thing["names"]
            assert set(thing["attributes"]) <= set(lines["attributes"])
            assert thing["names"][0] in lines["objects"]
        for relation in relations["relationships"]:
            assert relation["predicate"] in lines["relations"]
            assert {relation["subject"]["object_id"], relation["object"]["object_id"]} <= set(boxes)
            ids.add(relation["relationship_id"])
        assert relations["relationships"], "every scene has a relation"
    assert len(ids) == sum(len(entry["relationships"]) for entry in genome["relationships"])


def test_the_contact_sheet_shows_five_scenes_of_every_split(world_folder):
    sheet = cv2.imread(str(world_folder / "contact_sheet.png"))
    assert sheet.shape == (5 * (256 + 64), 4 * (384 + 8), 3)
    first = cv2.imread(str(world_folder / "images/train/000000000001.jpg"))
    same = (sheet[:256, 4:388] == first).all(axis=2)
    assert 0.9 < same.mean() < 1           # all but the frames of the boxes


def test_instances_and_visual_genome_agree(world_folder):
    genome = {thing["object_id"]: (entry["image_id"], [thing[k] for k in "xywh"])
              for entry in read(world_folder, "visual_genome/objects.json") for thing in entry["objects"]}
    coco = {box["id"]: (box["image_id"], box["bbox"]) for split in SPLITS
            for box in read(world_folder, f"coco/instances_{split}.json")["annotations"]}
    assert genome == coco
