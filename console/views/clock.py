"""Times as a person reads them; the rule: pure, from what a record says."""

from __future__ import annotations

from datetime import datetime


def clock_of(at: str, seconds: bool = False) -> str:
    """Hours and minutes (and seconds) of an ISO time, in the time zone of who looks; "" of none."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return ""
    return moment.astimezone().strftime("%H:%M:%S" if seconds else "%H:%M")
