"""When a write is too slow, and when that is said."""

from __future__ import annotations

from console.families.nitrokey3.rate import Rate


def told(rate: Rate, pace: float, seconds: float, start: float = 0.0, had: int = 0) -> list[float]:
    steps = int(seconds * 10)
    found = (rate.slow(start + n / 10, had + int(pace * n / 10)) for n in range(steps + 1))
    return [one for one in found if one is not None]


def test_the_usual_pace_is_never_said() -> None:
    assert told(Rate(50_000), 50_000, 60) == []
    assert told(Rate(50_000), 10_500, 60) == []


def test_a_crawl_is_said_once_after_two_seconds() -> None:
    assert told(Rate(50_000), 8_000, 1.8) == []
    (rate,) = told(Rate(50_000), 8_000, 60)
    assert 7_900 < rate < 8_100


def test_a_crawl_after_a_good_beginning_is_said() -> None:
    rate = Rate(50_000)
    assert told(rate, 50_000, 6) == []
    assert len(told(rate, 100, 8, start=6.1, had=300_000)) == 1
