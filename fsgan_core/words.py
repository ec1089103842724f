"""Words that reports and commands share."""

from __future__ import annotations

from collections.abc import Sequence

_GROUPS = 8
"""So many groups of numbers are listed."""


def plural(count: int, noun: str) -> str:
    """``"1 face"``, ``"2 faces"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(numbers: Sequence[int]) -> str:
    """Ascending frame numbers as ``"frame 3"`` or ``"frames 0-4, 9"``; of many groups the first and a count."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][1] + 1:
            groups[-1][1] = number
        else:
            groups.append([number, number])
    words = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in groups[:_GROUPS])
    more = sum(high - low + 1 for low, high in groups[_GROUPS:])
    return f"{'frame' if len(numbers) == 1 else 'frames'} {words}{f' and {more} more' if more else ''}"
