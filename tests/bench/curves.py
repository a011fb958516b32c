"""Draw a run's losses: python -m tests.bench.curves runs/detector_small_world/metrics.jsonl docs/detector_curve.png"""

import json
import sys
from pathlib import Path
from statistics import mean

WINDOW = 20   # steps in a running mean


def main() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    source, target = map(Path, sys.argv[1:])
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    names = list(rows[-1]["losses"])
    figure, axes = pyplot.subplots(1, len(names), figsize=(3 * len(names), 2.6), layout="constrained")
    for axis, name in zip(axes, names, strict=True):
        steps, values = zip(*[(row["step"], row["losses"][name]) for row in rows if name in row["losses"]], strict=True)
        means = [mean(values[max(0, k - WINDOW):k + 1]) for k in range(len(values))]
        axis.plot(steps, values, color="#cccccc", linewidth=0.7)
        axis.plot(steps, means, color="#1f5fa8")
        axis.set(title=name.replace("_", " "), xlabel="step", ylim=(0, None))
    figure.savefig(target, dpi=100)


if __name__ == "__main__":
    main()
