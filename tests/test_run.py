"""What a run tells of its progress."""

from __future__ import annotations

from console.run import Pace


def told(steps: int, each: float) -> list[int]:
    pace = Pace()
    return [
        done
        for done in range(1, steps + 1)
        if pace.lets(done * each, "Writing the image", done, steps)
    ]


def test_ten_a_second_are_told_of_a_thousand() -> None:
    assert 19 <= len(told(2000, 0.001)) <= 21


def test_the_first_and_the_last_are_told_however_fast_it_went() -> None:
    assert told(9000, 0.0) == [1, 9000]


def test_slow_progress_is_told_each_time() -> None:
    assert told(5, 1.0) == [1, 2, 3, 4, 5]


def test_another_kind_begins_anew() -> None:
    pace = Pace()
    assert pace.lets(0.0, "Reading", 1, 9)
    assert pace.lets(0.0, "Writing", 1, 9)
    assert not pace.lets(0.0, "Writing", 2, 9)
