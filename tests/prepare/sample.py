"""Draw negatives for a person to judge: python -m tests.prepare.sample --corpus CORPUS --scenes DIR --seed 1

A hundred of each level, and of the positives, each from another pair, with everything that is known of its picture: the
hand check of docs/rewriting.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from unimo_paddle.corpus import Corpus, Rewrites

LEVELS = ("sentence", "phrase", "word", "positive")


def truths(scenes: Path) -> dict[str, str]:
    """Return image id -> its true objects with attributes, and relations."""
    folder, found = scenes / "visual_genome", {}
    images = json.loads((folder / "attributes.json").read_text())
    attributes = {image["image_id"]: image["attributes"] for image in images}
    for image in json.loads((folder / "relationships.json").read_text()):
        things = [f"{'+'.join(each.get('attributes', []))} {each['names'][0]}".strip()
                  for each in attributes[image["image_id"]]]
        relations = [f"{each['subject']['name']} {each['predicate']} {each['object']['name']}"
                     for each in image["relationships"]]
        found[str(image["image_id"])] = "; ".join([*things, *relations])
    return found


def texts_of(row: Rewrites, level: str) -> list[tuple[str, str]]:
    """Return what a level has for a pair, with how it was made."""
    if level == "positive":
        made = zip(row.positives, row.origins, strict=True)
        return [(text, origin) for text, origin in made if origin != "caption"]
    return [(one.text, one.change) for one in row.negatives if one.level == level]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    args = parser.parse_args()
    corpus, true = Corpus(args.corpus), truths(args.scenes)
    pairs, rewrites = corpus.pairs("train"), corpus.rewrites("train")
    for number, level in enumerate(LEVELS):
        rng = np.random.default_rng((args.seed, number))
        taken = 0
        for row in rng.permutation(len(pairs)).tolist():
            texts = texts_of(rewrites[row], level)
            if texts and taken < 100:
                text, change = texts[rng.integers(len(texts))]
                taken += 1
                print(f"{level} {taken}\n  caption   {pairs[row].caption}\n  rewrite   {text}\n  change    {change}\n"
                      f"  picture   {true[pairs[row].image_id]}\n")


if __name__ == "__main__":
    main()
