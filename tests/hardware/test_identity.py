"""The ladder of identity: each case its own sentence and the safe choice; then arbitrary hands."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.events import Card, Device
from console.hardware.identity import (
    HANDS,
    Company,
    Expectation,
    Grade,
    Scene,
    accompany,
    judge,
    same_unit,
)

APP, BOOT = "20a0:42b2", "20a0:42dd"
MODES = {APP: "app", BOOT: "bootloader"}


def device(port: str, visit: str, ids: str = APP, serial: str = "", **facts) -> Device:
    vid, pid = ids.split(":")
    return Device(port, visit, vid, pid, serial, **facts)


OURS = device("1-1", "v1")


def expecting(left: Device | None = OURS, **facts) -> Expectation:
    wanted = {"port": "1-1", "modes": ("app",)} | facts
    return Expectation(left=left, **wanted)


def scene(*present: Device, company: Company = Company(gone=True), now: float = 100.0) -> Scene:  # noqa: B008
    modes = {d.visit: MODES.get(f"{d.vid}:{d.pid}", "") for d in present}
    return Scene(present, modes, company, now)


def judged(expected: Expectation, came: Device, *others: Device, company=Company(gone=True)):  # noqa: B008
    return judge(expected, came, scene(came, *others, company=company))


TWIN = device("1-2", "t1")
SERIAL = replace(OURS, serial="A1")

CASES = {
    "the serial that left comes back": (
        expecting(SERIAL),
        device("1-1", "v2", serial="A1"),
        (),
        (True, Grade.SERIAL, "Same device, because serial A1 came back."),
    ),
    "a serial that is the unique id": (
        expecting(OURS, unique="ABCD", modes=("bootloader",)),
        device("1-1", "v2", BOOT, serial="abcd"),
        (),
        (True, Grade.UNIQUE, "Same device, because its id abcd came back."),
    ),
    "a serial that nobody can read proves nothing: only its port does": (
        expecting(replace(OURS, serial="\ufffd\ufffd")),
        device("1-1", "v2", serial="\ufffd\ufffd"),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "a serial that nobody can read, in another port": (
        expecting(replace(OURS, serial="\ufffd\ufffd")),
        device("1-3", "v2", serial="\ufffd\ufffd"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "another serial": (
        expecting(SERIAL),
        device("1-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but A1 left this port."),
    ),
    "a serial where ours says none": (
        expecting(OURS),
        device("1-1", "v2", serial="B2"),
        (),
        (False, Grade.NOT, "Not taken: serial B2, but ours says none."),
    ),
    "no serial where ours says one": (
        expecting(SERIAL),
        device("1-1", "v2"),
        (),
        (False, Grade.NOT, "Not taken: ours says serial A1, this one says none."),
    ),
    "our serial in another port": (
        expecting(SERIAL),
        device("1-3", "v2", serial="A1"),
        (),
        (False, Grade.NOT, "Not taken yet: serial A1 is ours, but it is in port 1-3."),
    ),
    "our serial on another path in a guest": (
        expecting(SERIAL, guest=True),
        device("1-3", "v2", serial="A1"),
        (),
        (True, Grade.SERIAL, "Same device, because serial A1 came back; the host gave it another"),
    ),
    "another path in a guest and no serial": (
        expecting(OURS, guest=True),
        device("1-3", "v2"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours left port 1-1. In a guest"),
    ),
    "a serial that a twin says as well proves nothing": (
        expecting(SERIAL, others=(replace(TWIN, serial="A1"),)),
        device("1-3", "v2", serial="A1"),
        (replace(TWIN, serial="A1"),),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "our port in the mode awaited": (
        expecting(OURS, modes=("bootloader",)),
        device("1-1", "v2", BOOT),
        (),
        (True, Grade.PORT, "Same device, because it came on the same port in the mode awaited."),
    ),
    "our port in another mode": (
        expecting(OURS, modes=("bootloader",)),
        device("1-1", "v2"),
        (),
        (False, Grade.NOT, "It is back as app, not as awaited."),
    ),
    "a different device in our port": (
        expecting(OURS),
        device("1-1", "v2", "1a86:7523", product="USB Serial"),
        (),
        (False, Grade.NOT, "Not taken: a different device is in port 1-1, USB Serial (1a86:7523)."),
    ),
    "a twin elsewhere": (
        expecting(OURS),
        device("1-3", "v2"),
        (),
        (False, Grade.NOT, "Not taken: one came on port 1-3, ours belongs to port 1-1."),
    ),
    "two candidates": (
        expecting(OURS),
        device("1-1", "v2"),
        (device("1-3", "v3"),),
        (False, Grade.NOT, "Not taken: two have come, on port 1-1 and on port 1-3"),
    ),
    "another speed": (
        expecting(replace(OURS, speed="full")),
        device("1-1", "v2", speed="high"),
        (),
        (False, Grade.NOT, "Not taken: ours ran at full speed, this one runs at high speed."),
    ),
    "the sibling port of the same socket, in another mode": (
        expecting(replace(OURS, sibling="2-1"), modes=("bootloader",)),
        device("2-1", "v2", BOOT, speed="super"),
        (),
        (True, Grade.PORT, "Same device, because it came in the same socket in the mode awaited."),
    ),
    "the sibling port with our serial": (
        expecting(replace(SERIAL, sibling="2-1", speed="high")),
        device("2-1", "v2", serial="A1", speed="super"),
        (),
        (
            True,
            Grade.SERIAL,
            "Same device, because serial A1 came back; port 2-1 is the other half",
        ),
    ),
    "the sibling port at another speed without a serial": (
        expecting(replace(OURS, sibling="2-1", speed="high")),
        device("2-1", "v2", speed="super"),
        (),
        (False, Grade.NOT, "Not taken: ours ran at high speed, this one runs at super speed."),
    ),
    "one that came while ours is still there": (
        expecting(OURS),
        device("1-3", "v2"),
        (OURS,),
        (False, Grade.NOT, "Not taken: one came on port 1-3, and ours is still in port 1-1."),
    ),
    "any port, and one came": (
        expecting(None, port=""),
        device("1-3", "v2"),
        (),
        (True, Grade.ONLY, "Taken: it is the only one of its kind that came."),
    ),
    "any port, and two came": (
        expecting(None, port=""),
        device("1-3", "v2"),
        (device("1-4", "v3"),),
        (False, Grade.NOT, "Not taken: two of its kind are here."),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_own_sentence_and_the_safe_choice(case):
    """What is said, whether it is taken, and how sure that is."""
    expected, came, others, (taken, grade, says) = CASES[case]

    found = judged(expected, came, *others)

    assert (taken, grade) == (found.taken, found.grade)
    assert found.why.startswith(says)


def test_a_twin_that_left_its_place_while_ours_was_away_puts_both_in_doubt():
    """Twins without serials may have been exchanged by hand."""
    company = Company(frozenset({"t1"}), at=90.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))

    found = judge(expected, device("1-1", "v2"), scene(device("1-1", "v2"), company=company))

    assert not found.taken
    assert found.why.startswith("Not taken: another of its kind left while ours was away")


def test_a_twin_that_stayed_in_its_place_is_no_reason_for_doubt():
    """It cannot be the one that came."""
    company = Company(frozenset({"t1"}), at=90.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))

    found = judged(expected, device("1-1", "v2"), TWIN, company=company)

    assert found.taken
    assert found.grade == Grade.PORT


def test_two_twins_that_restart_at_once_are_too_quick_to_have_been_exchanged():
    """Batch work on a bench: both left and came back faster than hands are."""
    company = Company(frozenset({"t1"}), at=99.0, gone=True)
    expected = expecting(OURS, others=(TWIN,))
    back, twin_back = device("1-1", "v2"), device("1-2", "t2")

    found = judge(expected, back, scene(back, twin_back, company=company, now=99.0 + HANDS - 0.1))

    assert found.taken


def test_a_reader_whose_card_is_not_known_yet_is_not_judged_yet():
    """PC/SC names a card a second after the kernel has seen its USB."""
    reader = device("1-1", "v2", "1a86:0001", interfaces=("0b0000",))
    named = replace(reader, cards=(Card("R 00 00", "3b00"),))

    assert judged(expecting(OURS), reader) is None
    assert not judged(expecting(OURS), named).taken


def test_the_id_that_the_device_answers_settles_it_either_way():
    """The top of the ladder."""
    assert same_unit("4F9C", "4F9C").grade == Grade.UNIQUE
    assert not same_unit("4F9C", "1111").taken
    assert "its id is 1111, ours has 4F9C" in same_unit("4F9C", "1111").why


# --- arbitrary hands, lost and doubled notices --------------------------------------------------

ACTION = 0.7
"""Seconds that one deed of a hand takes at least: HANDS is less than three of them."""
PORTS = ("1-1", "1-2", "1-3", "1-4")


@dataclass
class Unit:
    """One physical device: where it is, as what, and what it says."""

    name: str
    serial: str
    port: str = ""
    visit: str = ""
    ids: str = APP

    @property
    def facts(self) -> Device:
        return device(self.port, self.visit, self.ids, self.serial)


class Hands(RuleBasedStateMachine):
    """Units are pulled, plugged, exchanged and restarted; looks come late, twice or never.

    The only thing that nobody does: bring a unit that was in the drawer, and says nothing that
    tells it from ours, into our very port.
    """

    @initialize(
        serials=st.sampled_from([("", "", "", ""), ("A", "B", "", "C"), ("A", "A", "B", "A")]),
        modes=st.sampled_from([("app",), ("bootloader",), ("app", "bootloader")]),
        guest=st.booleans(),
    )
    def arm(self, serials, modes, guest):
        self.now = 50.0
        self.visits = 0
        names = ("ours", "twin", "other", "drawer")
        self.units = {n: Unit(n, s) for n, s in zip(names, serials, strict=True)}
        for name, port in zip(names[:3], PORTS[:3], strict=True):
            self._come(self.units[name], port)
        ours, *others = (self.units[name].facts for name in names[:3])
        self.expected = Expectation("1-1", modes, ours, tuple(others), guest=guest)
        self.company = Company()
        self.taken: str | None = None
        self.only_ours_moved = True
        self.look()

    def _come(self, unit: Unit, port: str) -> None:
        self.visits += 1
        unit.port, unit.visit = port, f"v{self.visits}"

    def _free(self, port: str) -> bool:
        return all(unit.port != port for unit in self.units.values())

    @precondition(lambda self: self.taken is None)
    @rule(name=st.sampled_from(["ours", "ours", "twin", "other", "drawer"]))
    def pull(self, name):
        self.now += ACTION
        self.units[name].port = ""
        self.only_ours_moved &= name == "ours"

    @precondition(lambda self: self.taken is None)
    @rule(
        name=st.sampled_from(["ours", "ours", "twin", "other", "drawer"]),
        port=st.sampled_from(("1-1", *PORTS)),
        ids=st.sampled_from([APP, APP, BOOT]),
    )
    def plug(self, name, port, ids):
        unit = self.units[name]
        if unit.port or not self._free(port) or (name == "drawer" and port == "1-1"):
            return
        self.now += ACTION
        unit.ids = ids
        self._come(unit, port)
        self.only_ours_moved &= name == "ours" and port == "1-1"

    @precondition(lambda self: self.taken is None)
    @rule(
        name=st.sampled_from(["ours", "ours", "twin", "other"]),
        ids=st.sampled_from([APP, BOOT]),
        away=st.floats(0.1, 5.0),
        seen=st.booleans(),
    )
    def restart(self, name, ids, away, seen):
        """It leaves by itself and is back in the same port."""
        unit = self.units[name]
        port, unit.port = unit.port, ""
        if not port:
            return
        self.only_ours_moved &= name == "ours"
        if seen:
            self.look()
        self.now += away
        unit.ids = ids
        self._come(unit, port)

    @precondition(lambda self: self.taken is None)
    @rule(name=st.sampled_from(["twin", "other"]), ids=st.sampled_from([APP, BOOT]))
    def exchange(self, name, ids):
        """As quickly as hands can: both are pulled, the other one goes into our port."""
        if self._free("1-1"):
            return
        self.look()
        if self.taken is not None:
            return
        in_ours = next(unit.name for unit in self.units.values() if unit.port == "1-1")
        self.pull(name)
        self.pull(in_ours)
        self.plug(name, "1-1", ids)
        self.look()

    @precondition(lambda self: self.taken is None)
    @rule(seconds=st.floats(0.01, 10.0))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.taken is None)
    @rule()
    def look_twice(self):
        self.look()
        self.look()

    @precondition(lambda self: self.taken is None)
    @rule()
    def look(self):
        present = tuple(unit.facts for unit in self.units.values() if unit.port)
        self._judge(scene(*present, company=self.company, now=self.now))

    @precondition(lambda self: self.taken is not None)
    @rule()
    def the_run_goes_on(self):
        """It was taken: what comes after is the next wait's concern."""

    def _judge(self, now: Scene) -> None:
        self.company = accompany(self.company, self.expected, now)
        now = replace(now, company=self.company)
        for came in now.present:
            found = judge(self.expected, came, now)
            if found is not None and found.taken:
                self.taken = came.visit
                return
        ours = self.units["ours"]
        back = ours.port == "1-1" and ours.visit != self.expected.visit
        awaited = MODES[ours.ids] in self.expected.modes
        assert not (self.only_ours_moved and back and awaited), "ours was refused without a reason"

    @invariant()
    def nothing_but_ours_is_ever_taken(self):
        taken = getattr(self, "taken", None)
        assert taken is None or taken == self.units["ours"].visit


TestHands = Hands.TestCase
TestHands.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
