"""What a measured figure should be: judged unrounded, by the median of its rounds, the span shown beside it."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """What should hold of this run; of figures taken in several rounds the median counts."""

    name: str
    figures: Sequence[float]
    bound: float
    least: bool = False  # the bound is the least, else the most

    @property
    def figure(self) -> float:
        """What is judged."""
        return statistics.median(self.figures)

    @property
    def met(self) -> bool:
        """As it stands, unrounded."""
        return self.figure >= self.bound if self.least else self.figure <= self.bound

    def __str__(self) -> str:
        low, high = min(self.figures), max(self.figures)
        span = f" ({low:.3g} to {high:.3g})" if low < high else ""
        word = "met" if self.met else "**NOT met**"
        return f"| {self.name} | {self.figure:.3g}{span} | {'≥' if self.least else '≤'} {self.bound:g} | {word} |"


def ratios(above: Iterable[float], below: Iterable[float]) -> list[float]:
    """Of one round each, so that a slow minute slows both sides."""
    return [over / under for over, under in zip(above, below, strict=True)]


def table(goals: Iterable[Goal]) -> list[str]:
    """Lines of Markdown."""
    return ["| goal | figure | bound | |", "|---|---|---|---|", *map(str, goals)]


def kept(goals: Iterable[Goal]) -> list[dict[str, Any]]:
    """For the JSON beside the page."""
    return [asdict(goal) | {"figure": goal.figure, "met": goal.met} for goal in goals]
