"""How durations are written for people."""

from __future__ import annotations


def format_duration(seconds: float) -> str:
    """Seconds as people write them: ``8.3 s``, ``4 min 10 s``, ``2 h 5 min``."""
    if seconds < 99.5:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
