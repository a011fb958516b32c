"""Bring weights in and out.

`roberta` and `release` make one of our model folders, `hf` leaves it for transformers, `detector` makes a detector.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from unimo_paddle import console, environment

COMMANDS = {
    "roberta": "Hugging Face RoBERTa folder (config.json + model.safetensors or pytorch_model.bin) -> ours",
    "release": "released Paddle 1.x folder, one file per variable -> ours",
    "hf": "text side of one of our folders -> Hugging Face RoBERTa folder",
    "detector": "bottom-up-attention's weights, the .pkl of py-bottom-up-attention -> a detector for tools/extract.py",
}


def main(arguments: list[str]) -> int:
    """Convert one folder into a new one and print what became of every array."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    for name, meaning in COMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("--from", dest="source", type=Path, required=True, metavar="PATH", help="what to read")
        command.add_argument("--to", dest="target", type=Path, required=True, metavar="DIR", help="folder to make")
    commands.choices["detector"].add_argument(
        "--vocabulary", type=Path, required=True, metavar="DIR",
        help="folder with objects_vocab.txt and attributes_vocab.txt (bottom-up-attention's data/genome/1600-400-20)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    console.say(f"converting {options.source}")
    if options.command == "detector":
        from unimo_paddle.vision.foreign import convert_bottom_up

        made = convert_bottom_up(options.source, options.vocabulary, options.target)
        console.say(f"{made.taken} arrays taken; left out: {', '.join(made.unused) or 'none'}")
        console.say(f"wrote {options.target}")
        return 0

    from unimo_paddle.model import convert

    convert_folder = {"roberta": convert.from_roberta, "release": convert.from_release, "hf": convert.to_hf}
    report = convert_folder[options.command](options.source, options.target)
    console.say(report.table())
    console.say(f"wrote {options.target}")
    return 0


if __name__ == "__main__":
    environment.tune_process()
    console.run_tool(main)
