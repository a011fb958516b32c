"""Draw a run's losses, and its probes where there are any, as one picture:

python -m tests.bench.curves runs/pretrain_tiny/metrics.jsonl docs/curves.png

Gray is each step, coloured the mean of the last 20 steps, a colour for each kind of data. Probes are read from
probes.jsonl beside the metrics.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

WINDOW = 20   # steps in a running mean
COLUMNS = 4
COLOURS = {"pair": "#1f5fa8", "text": "#b3541e", "image": "#1a7f37"}
LINES = ("#1f5fa8", "#b3541e", "#1a7f37", "#7a3fa0")
PANELS = {"joint": "retrieval, read together", "separate": "retrieval, read apart", "masked": "restored, share"}
Series = dict[str, list[tuple[int, float]]]


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if len(sys.argv) != 3 or not Path(sys.argv[1]).is_file():
        sys.exit("error: name a run's metrics.jsonl and the picture to draw: METRICS PNG")
    source, target = map(Path, sys.argv[1:])
    losses, probes = losses_of(read(source)), probes_of(read(source.with_name("probes.jsonl")))
    panels = len(losses) + len(probes)
    columns = min(COLUMNS, panels)
    rows = -(-panels // columns)
    size = 3 * columns, 2.6 * rows
    figure, axes = pyplot.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    free = iter(axes.flat)
    for name, kinds in losses.items():
        draw_loss(next(free), name, kinds)
    for name, lines in probes.items():
        draw_probe(next(free), name, lines)
    for axis in free:
        axis.axis("off")
    figure.savefig(target, dpi=100)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def losses_of(records: list[dict[str, Any]]) -> dict[str, Series]:
    """Objective -> kind of data -> (step, loss); a run of one kind alone has kind ""."""
    found: dict[str, Series] = {}
    for record in records:
        for name, value in record["losses"].items():
            found.setdefault(name, {}).setdefault(record.get("kind", ""), []).append((record["step"], value))
    return found


def probes_of(records: list[dict[str, Any]]) -> dict[str, Series]:
    """Title of a panel -> name of a line -> (step, value); names are told apart by their first word."""
    found: dict[str, Series] = defaultdict(dict)
    for record in records:
        for name, value in record["values"].items():
            first, rest = name.split("_", 1)
            line = rest.replace("_", " ").replace(" accuracy", "")
            found[PANELS.get(first, first)].setdefault(line, []).append((record["step"], value))
    return found


def draw_loss(axis: Any, name: str, kinds: Series) -> None:
    for kind, points in kinds.items():
        steps, values = zip(*points, strict=True)
        means = [mean(values[max(0, k - WINDOW + 1):k + 1]) for k in range(len(values))]
        axis.plot(steps, values, color="#cccccc", linewidth=0.5, zorder=1)
        axis.plot(steps, means, color=COLOURS.get(kind, LINES[0]), label=kind, zorder=2)
    axis.set(title=name.replace("_", " "), xlabel="step", ylim=(0, None))
    if len(kinds) > 1:
        axis.legend(fontsize="small", frameon=False)


def draw_probe(axis: Any, name: str, lines: Series) -> None:
    for colour, (line, points) in zip(LINES * 4, lines.items(), strict=False):
        axis.plot(*zip(*points, strict=True), color=colour, label=line, marker=".", markersize=4)
    axis.set(title=name, xlabel="step", ylim=(0, 1))
    axis.legend(fontsize="x-small", frameon=False)


if __name__ == "__main__":
    main()
