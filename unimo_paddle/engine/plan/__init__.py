"""What a run will take, from its settings alone: parameters, memory, steps, days, disk. `describe` is all of it."""

from unimo_paddle.engine.plan.report import describe
from unimo_paddle.engine.plan.steps import DataSizes

__all__ = ["DataSizes", "describe"]
