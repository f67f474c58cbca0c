"""A simulated card gets its time, and no more than it needs."""

from __future__ import annotations

from console.hardware.simulated_card import SLICE, exchange


class Slow:
    """Answers after `seconds`; counts what it was given."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds
        self.begun: list[bytes] = []

    def begin(self, command: bytes) -> None:
        self.begun.append(command)

    def work(self, seconds: float) -> bytes | None:
        self.left -= seconds
        return b"\x90\x00" if self.left <= 0 else None


def test_what_takes_no_time_takes_none() -> None:
    passed: list[float] = []
    assert exchange(Slow(0.0), b"\0\xa4", passed.append, 1.0) == b"\x90\x00"
    assert passed == []


def test_what_takes_minutes_is_waited_for_in_slices() -> None:
    passed: list[float] = []
    assert exchange(Slow(105.0), b"\0\x47", passed.append, 600.0) == b"\x90\x00"
    assert abs(sum(passed) - 105.0) < 2 * SLICE


def test_a_mute_card_is_given_up_after_the_patience() -> None:
    passed: list[float] = []
    assert exchange(Slow(1e9), b"\0\x47", passed.append, 5.0) is None
    assert abs(sum(passed) - 5.0) < 2 * SLICE
