"""Is what came back the same device? Graded, with its reason.

The rule: pure. An expectation and what is there go in, a judgement comes out; when in doubt
the device is not taken and not touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.events import Device


@dataclass(frozen=True)
class Expectation:
    """What should come: its port ("" for any), the modes it may be in, and what left.

    `visit`, `serial`, `vid` and `pid` are those of the device that leaves; `known` are visits
    elsewhere that were there when the wait was armed and so cannot be the one that comes.
    """

    port: str
    modes: tuple[str, ...]
    visit: str = ""
    serial: str = ""
    vid: str = ""
    pid: str = ""
    known: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Judgement:
    """Taken or not, and the sentence that says why."""

    taken: bool
    why: str


def judge(
    expected: Expectation, came: Device, mode: str, present: tuple[Device, ...]
) -> Judgement | None:
    """What to do with a device that came; None if it concerns nobody (another kind elsewhere).

    `mode` is the mode of `came` in the run's family ("" if it is none of it); `present` is
    everything on the bench now.
    """
    if came.visit == expected.visit:
        return None
    if expected.port and came.port != expected.port:
        return _elsewhere(expected, came, mode)
    if mode not in expected.modes:
        return _unexpected(expected, came, mode)
    if not expected.port and _rivals(expected, came, present):
        return Judgement(False, "Not taken: two of its kind are here. Pull the other one.")
    if _another_serial(expected, came):
        return Judgement(
            False,
            f"Not taken: serial {came.serial}, but {expected.serial} left this port.",
        )
    if expected.serial and came.serial == expected.serial:
        return Judgement(True, f"Same device, because serial {came.serial} came back.")
    if expected.port:
        return Judgement(True, "Same device, because it came on the same port in the mode awaited.")
    return Judgement(True, "Taken: it is the only one of its kind that came.")


def _elsewhere(expected: Expectation, came: Device, mode: str) -> Judgement | None:
    if mode not in expected.modes:
        return None
    return Judgement(
        False,
        f"Not taken: one came on port {came.port}, ours belongs to port {expected.port}. "
        "It was not touched. If it is ours, plug it into our port.",
    )


def _unexpected(expected: Expectation, came: Device, mode: str) -> Judgement | None:
    if not expected.port:
        return None
    what = mode or f"{came.vid}:{came.pid}"
    return Judgement(False, f"It is back as {what}, not as awaited. It was not touched.")


def _rivals(expected: Expectation, came: Device, present: tuple[Device, ...]) -> bool:
    twins = (other for other in present if (other.vid, other.pid) == (came.vid, came.pid))
    return any(other.visit not in expected.known and other.visit != came.visit for other in twins)


def _another_serial(expected: Expectation, came: Device) -> bool:
    # Only the same ids make serials comparable: an application and its bootloader may each
    # write their own form of it.
    same_kind = (came.vid, came.pid) == (expected.vid, expected.pid)
    known = bool(expected.serial and came.serial)
    return same_kind and known and expected.serial != came.serial
