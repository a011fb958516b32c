"""Make the small world: plan, paint, tell, write. Start reading here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unimo_paddle.console import progress, say
from unimo_paddle.environment import available_cores
from unimo_paddle.errors import UserError
from unimo_paddle.files import is_vacant, leftovers, lock_directory, read_json, sha256_of, write_json
from unimo_paddle.prepare.small_world import formats
from unimo_paddle.prepare.small_world.captions import write_captions
from unimo_paddle.prepare.small_world.cutouts import Picture, select_stamps
from unimo_paddle.prepare.small_world.entailment import write_hypotheses
from unimo_paddle.prepare.small_world.equivalence import caption_images
from unimo_paddle.prepare.small_world.formats import Told
from unimo_paddle.prepare.small_world.paint import paint_all
from unimo_paddle.prepare.small_world.plan import SPLITS, Planner
from unimo_paddle.prepare.small_world.questions import write_questions
from unimo_paddle.prepare.small_world.scene import Scene, World
from unimo_paddle.prepare.small_world.shapes import draw_world
from unimo_paddle.prepare.small_world.sheet import write_sheet
from unimo_paddle.prepare.small_world.stamps import fetch_stamps
from unimo_paddle.prepare.small_world.translations import TRANSLATIONS, write_translations
from unimo_paddle.prepare.small_world.truth import Truth

VERSION = 1                     # of what a seed means: raised whenever the same seed would give other bytes
SOURCES = ("auto", "stamps", "shapes")
LEAST_HELD_OUT = 250            # scenes of test and composition, so that retrieval has enough candidates
_FOLDERS = ("coco", "visual_genome", "vqa", "snli_ve", "retrieval")
_REQUEST = "request.json"
CAPTION_GRAPHS = "caption_graphs.jsonl"


@dataclass(frozen=True)
class Summary:
    """What was made: the source ("stamps" or "shapes"), scenes by split, scenes painted now, and the contact sheet."""

    source: str
    counts: dict[str, int]
    painted: int
    sheet: Path


def make_scenes(out: Path | str, images: int, seed: int = 0, source: str = "auto", *, val: int | None = None,
                test: int | None = None, composition: int | None = None, workers: int | None = None,
                cache: Path | None = None) -> Summary:
    """Write `images` training scenes and the other splits, in the public formats, below `out`.

    Default sizes: val images/20, test and composition images/8 but at least LEAST_HELD_OUT (never more than `images`).
    The same seed and sizes give the same bytes, whatever `workers` (default: the processors). A killed run is continued
    by the same call. source "auto" draws shapes when the photographs cannot be fetched.
    Raises UserError for wrong numbers and when `out` holds another world, or another process paints there;
    OSError as the system gives it.
    """
    out, held_out = Path(out), max(images // 8, min(LEAST_HELD_OUT, images))
    counts = {"train": images, "val": max(1, images // 20) if val is None else val,
              "test": held_out if test is None else test,
              "composition": held_out if composition is None else composition}
    _check(counts, seed, source)
    world, pictures = _world(source, cache)
    # Another Debian release may hold other stamps; the fingerprint keeps their pictures apart.
    fingerprint = hashlib.sha256(repr(world).encode()).hexdigest()[:16]
    out.mkdir(parents=True, exist_ok=True)
    lock = lock_directory(out)
    try:
        _claim(out, {"version": VERSION, "seed": seed, "source": world.source, "world": fingerprint, "counts": counts})
        planner = Planner(world, seed)
        scenes = list(progress(_planned(planner, counts), sum(counts.values()), "planning", "scene"))
        painted = paint_all(scenes, pictures, out / "images", workers or available_cores())
        told = _tell(world, scenes, seed)
        _write(out, world, told)
        if world.source == "stamps":
            write_translations(out / TRANSLATIONS, world, fetch_stamps(cache))
        write_json(out / "scenes.json", _manifest(out, planner, counts, told))
    finally:
        os.close(lock)
    return Summary(world.source, counts, painted, out / "contact_sheet.png")


def _check(counts: dict[str, int], seed: int, source: str) -> None:
    faults = [f"{split}: {number} scenes; at least 1 is needed" for split, number in counts.items() if number < 1]
    if seed < 0:
        faults.append(f"seed {seed} is negative; give 0 or more")
    if source not in SOURCES:
        faults.append(f"source {source!r} is unknown; choose one of {', '.join(SOURCES)}")
    if faults:
        raise UserError("; ".join(faults))


def _world(source: str, cache: Path | None) -> tuple[World, dict[str, Picture]]:
    if source == "shapes":
        return draw_world()
    try:
        folder = fetch_stamps(cache)
    except UserError as error:
        if source == "stamps":
            raise
        say(f"{error}. Drawing shapes instead.")
        return draw_world()
    return select_stamps(folder)


def _claim(out: Path, request: dict[str, Any]) -> None:
    """Note what this folder is for before the first picture, so that no later call mixes two worlds."""
    path = out / _REQUEST
    if path.exists():
        there = read_json(path)
        if there != request:
            raise UserError(f"{out} holds another world, {there}, not {request}; choose another folder or remove it")
    elif not is_vacant(out):
        raise UserError(f"{out} is not empty and holds no small world; choose another folder")
    else:
        write_json(path, request)
    for folder in (out, *(out / name for name in _FOLDERS), *(out / "images" / split for split in SPLITS)):
        leftovers(folder)


def _planned(planner: Planner, counts: dict[str, int]) -> Iterator[Scene]:
    image_id = 0
    for split in SPLITS:
        for index in range(counts[split]):
            image_id += 1
            yield planner.scene(split, index, image_id)


def _tell(world: World, scenes: Sequence[Scene], seed: int) -> list[Told]:
    truth, told = Truth(world), []
    for scene in progress(scenes, len(scenes), "captions and questions", "scene"):
        rng = np.random.default_rng((seed, SPLITS.index(scene.split), scene.index, 1))
        captions = write_captions(scene, rng)
        told.append(Told(scene, tuple(captions), tuple(write_questions(scene, truth, rng)),
                         tuple(write_hypotheses(scene, truth, rng))))
    return told


def _write(out: Path, world: World, told: Sequence[Told]) -> None:
    formats.write_karpathy(out / "coco", told)
    formats.write_visual_genome(out / "visual_genome", world, told)
    formats.write_caption_graphs(out / CAPTION_GRAPHS, told)
    for split in SPLITS:
        formats.write_coco(out / "coco", world, told, split)
        formats.write_vqa(out / "vqa", world, told, split)
        formats.write_snli_ve(out / "snli_ve", told, split)
        if split != "train":  # nobody retrieves among the training scenes, and there the table grows with the square
            write_json(out / "retrieval" / f"{split}.json",
                       {"caption_images": caption_images([each for each in told if each.scene.split == split])})
    write_sheet(out / "contact_sheet.png", out / "images", told)


def _manifest(out: Path, planner: Planner, counts: dict[str, int], told: Sequence[Told]) -> dict[str, Any]:
    world, held_out = planner.world, planner.held_out
    scenes = [{"image_id": each.scene.image_id, "split": each.scene.split, "file": f"images/{each.scene.file_name}",
               "background": each.scene.background.key, "cutouts": [thing.cutout.key for thing in each.scene.objects],
               "held_out": [list(found) for found in held_out.found_in(each.scene)]} for each in told]
    written = [path for folder in ("images", *_FOLDERS) for path in (out / folder).rglob("*") if path.is_file()]
    written += [out / name for name in (CAPTION_GRAPHS, TRANSLATIONS) if (out / name).is_file()]
    files = sorted([*written, out / "contact_sheet.png"])
    return {
        "version": VERSION, "seed": planner.seed, "source": world.source, "counts": counts,
        "classes": list(world.names), "objects": sum(len(each.scene.objects) for each in told),
        "held_out": {"traits": [list(trait) for trait in sorted(held_out.traits)],
                     "triples": [list(triple) for triple in sorted(held_out.triples)]},
        "cutouts": {cutout.key: " ".join([*cutout.words, cutout.name]) for cutout in world.cutouts},
        "scenes": scenes,
        "files": {path.relative_to(out).as_posix(): sha256_of(path) for path in files},
    }
