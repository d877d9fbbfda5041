"""What a benchmark finds: values, each with a bound that was set beforehand."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from rich.console import Console

console = Console(highlight=False)


@dataclass(frozen=True)
class Figure:
    """One measured value and the bound that it must keep."""

    name: str
    value: float
    unit: str
    bound: float
    at_most: bool = True

    @property
    def kept(self) -> bool:
        """Whether the value keeps the bound."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


def spread(values: list[float]) -> str:
    """Return minimum, median and maximum of some seconds."""
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f} s"
