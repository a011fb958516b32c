"""Before a long run: is this machine, its disk, its network and its data what the run needs? Nothing is kept of it.

Started by `tools/train.py --preflight`, alone or on every rank under fleetrun. Read checks.py first.
"""

from unimo_paddle.preflight.checks import run
from unimo_paddle.preflight.stores import data_sizes
from unimo_paddle.preflight.trial import Trial

__all__ = ["Trial", "data_sizes", "run"]
