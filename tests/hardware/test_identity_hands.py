"""Arbitrary hands, and looks that are lost, doubled or late: only ours is taken, and not lost.

The rule: what no bus can show nobody does here. A unit that says nothing that tells it from ours,
and that was not on the bench while ours was, is not brought where ours is awaited.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.arrivals import Attendance
from console.events import Device
from console.hardware.identity import Company, Expectation, Scene, accompany, judge

ACTION = 0.7
"""Seconds that one deed of a hand takes at least: HANDS is less than three of them."""
NAMES = ("ours", "twin", "other", "drawer")
APP, BOOT = "app", "bootloader"
IDS = {APP: "42b2", BOOT: "42dd"}
SERIALS = {
    "none": {},
    "all": {APP: ("A", "B", "C", "D")},
    "some": {APP: ("A", "B", "", "C"), BOOT: ("", "B", "", "")},
    "twins": {APP: ("A", "A", "B", "A"), BOOT: ("A", "A", "", "A")},
    "a clone in the drawer": {APP: ("A", "", "B", "A")},
    "an id in the bootloader": {APP: ("", "", "", ""), BOOT: ("AA", "BB", "CC", "DD")},
    "serials and an id": {APP: ("A", "B", "A", ""), BOOT: ("AA", "BB", "CC", "DD")},
}
OFTEN = ("none", "a clone in the drawer", "an id in the bootloader")
SPEEDS = (
    {APP: ("full",) * 4, BOOT: ("full",) * 4},
    {APP: ("high", "full", "high", "full"), BOOT: ("full",) * 4},
    {APP: ("super",) * 4, BOOT: ("high",) * 4},
    {APP: ("high",) * 4, BOOT: ("super", "super", "high", "")},
)
OTHERS = ("twin", "other", "drawer")
WAITS = st.tuples(
    st.sampled_from([(APP,), (BOOT,), (APP, BOOT)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([True, True, False]),
)
"""The modes awaited; is it a guest; is any port as good; is an id known?"""


@dataclass
class Unit:
    """One physical device: what it says in each mode, and where it is now, as what."""

    name: str
    serials: dict[str, str]
    speeds: dict[str, str]
    interfaces: tuple[str, ...]
    mode: str = APP
    socket: str = ""
    visits: list[str] = field(default_factory=list)

    def facts(self, paired: bool) -> Device:
        """As the kernel tells it: the two halves of a socket have their own paths."""
        halves = f"1-{self.socket}", f"2-{self.socket}"
        here, there = halves[::-1] if paired and self.speeds[self.mode] == "super" else halves
        said = self.serials[self.mode], "Key", "", self.speeds[self.mode]
        more = {"interfaces": self.interfaces, "sibling": there if paired else ""}
        return Device(here, self.visits[-1], "20a0", IDS[self.mode], *said, **more)


@dataclass(frozen=True)
class Look:
    """What was there when the bus was looked at."""

    at: float
    present: tuple[Device, ...]


class Hands(RuleBasedStateMachine):
    """Units are pulled, plugged, exchanged and restarted, before the wait is armed and after."""

    @initialize(
        serials=st.sampled_from((*SERIALS, *OFTEN)),
        speeds=st.sampled_from(SPEEDS),
        paired=st.booleans(),
        token=st.booleans(),
        shown=st.sampled_from([True, True, True, False]),
        armed=st.sampled_from(["in time", "in time", "late", "at any time"]),
        wait=WAITS,
        story=st.sampled_from(["", "ours is back", "an exchange", "a newcomer", "a clone"]),
        between=st.sampled_from(["nothing", "a look", "a minute"]),
    )
    def begin(self, serials, speeds, paired, token, shown, armed, wait, story, between):
        self.now, self.count, self.paired, self.shown = 50.0, 0, paired, shown
        self.units = {}
        for at, name in enumerate(NAMES):
            says = {mode: (SERIALS[serials].get(mode) or ("",) * 4)[at] for mode in IDS}
            runs = {mode: speeds[mode][at] for mode in IDS}
            self.units[name] = Unit(name, says, runs, ("0b0000",) if token else ())
        self.ours = self.units["ours"]
        self.taken: str | None = None
        self.expected: Expectation | None = None
        self.company = Company()
        self.attendance = Attendance()
        self.only_ours_moved = True
        self.looks: list[Look] = []
        for socket, name in enumerate(NAMES[:3], start=1):
            if shown or name != "ours":
                self._come(self.units[name], str(socket))
        self.device = self.ours.facts(paired) if shown else Device("1-1", "", "", "")
        self.look()
        self.wait = wait
        if armed == "late":
            self.pull("ours")
        if armed != "at any time":
            self.arm()
            self._tell(story, between, wait[0][0])

    def _tell(self, story: str, between: str, mode: str) -> None:
        """What happens most often comes first; anything may come after it."""
        if story == "an exchange":
            self.exchange("twin", mode, "1", between)
        elif story == "a clone":
            self.bring_a_clone_beside_ours(mode, "4", "5", moved=True)
        elif story:
            self._pull(self.ours)
            self.look()
            came = "ours", "1"
            self.plug(*(came if story == "ours is back" else ("drawer", "4")), mode)
            self.look()

    # --- what is so ---------------------------------------------------------------------------

    def _come(self, unit: Unit, socket: str) -> None:
        self.count += 1
        unit.socket = socket
        unit.visits.append(f"v{self.count}")

    def _in(self, socket: str) -> Unit | None:
        return next((unit for unit in self.units.values() if unit.socket == socket), None)

    def _clones(self, *names: str) -> list[Unit]:
        """Those that say in some mode what ours says in one."""
        said = set(self.ours.serials.values()) - {""}
        found = (self.units[name] for name in names)
        return [unit for unit in found if said & set(unit.serials.values())]

    def _was_there(self, unit: Unit) -> bool:
        """Was it on the bench while ours was, or when the run began if ours was not shown?"""
        before = {device.visit for device in self.attendance.company(self.device)}
        known = self.company.visits if self.expected else before
        return bool(known & set(unit.visits))

    def _may_come(self, unit: Unit, socket: str) -> bool:
        if unit is self.ours or self._was_there(unit):
            return True
        anywhere = self.expected is not None and not self.expected.port
        # In a guest a serial is believed on any path: a clone may be told only beside ours.
        return socket != "1" and not anywhere and not self._clones(unit.name)

    # --- hands --------------------------------------------------------------------------------

    def _pull(self, unit: Unit) -> None:
        self.now += ACTION
        unit.socket = ""
        self.only_ours_moved &= unit is self.ours

    def _plug(self, unit: Unit, socket: str, mode: str) -> None:
        if unit.socket or self._in(socket) or not self._may_come(unit, socket):
            return
        self.now += ACTION
        unit.mode = mode
        self._come(unit, socket)
        self.only_ours_moved &= unit is self.ours and socket == "1"

    def _beside(self) -> list[Unit]:
        """Clones that came where ours is believed: who pulls ours then says that they are it."""
        clones = self._clones("twin", "other", "drawer")
        return [unit for unit in clones if unit.socket and not self._was_there(unit)]

    @precondition(lambda self: self.taken is None)
    @rule(name=st.sampled_from(("ours", "ours", *OTHERS)))
    def pull(self, name):
        if name != "ours" or not self._beside():
            self._pull(self.units[name])

    @precondition(lambda self: self.taken is None)
    @rule(
        name=st.sampled_from(("ours", "ours", *OTHERS)),
        socket=st.sampled_from("11234"),
        mode=st.sampled_from([APP, APP, BOOT]),
    )
    def plug(self, name, socket, mode):
        self._plug(self.units[name], socket, mode)

    @precondition(lambda self: self.taken is None)
    @rule(
        mode=st.sampled_from([APP, APP, BOOT]),
        socket=st.sampled_from("45"),
        other=st.sampled_from("156"),
        moved=st.booleans(),
    )
    def bring_a_clone_beside_ours(self, mode, socket, other, moved):
        """Both are there at the next look."""
        if moved and not self._beside():
            self._pull(self.ours)
        self._plug(self.ours, other, mode)
        clone = self.units["drawer"]
        awaited = self.expected is None or bool(self.expected.port)
        alike = self.ours.socket and self.ours.serials[self.ours.mode] == clone.serials[mode]
        if awaited and alike and not clone.socket and not self._in(socket):
            self.now += ACTION
            clone.mode = mode
            self._come(clone, socket)
            self.only_ours_moved = False
        self.look()

    @precondition(lambda self: self.taken is None)
    @rule(
        name=st.sampled_from(("ours", "ours", "twin", "other")),
        mode=st.sampled_from([APP, BOOT]),
        away=st.floats(0.1, 5.0),
        seen=st.booleans(),
    )
    def restart(self, name, mode, away, seen):
        """It leaves by itself and is back in the same place."""
        unit = self.units[name]
        if not unit.socket or (name == "ours" and self._beside()):
            return
        socket, unit.socket = unit.socket, ""
        self.only_ours_moved &= name == "ours"
        if seen:
            self.look()
        self.now += away
        unit.mode = mode
        self._come(unit, socket)

    @precondition(lambda self: self.taken is None)
    @rule(
        name=st.sampled_from(("twin", "twin", "other", "drawer")),
        mode=st.sampled_from([APP, APP, BOOT]),
        socket=st.sampled_from("1114"),
        between=st.sampled_from(["nothing", "a look", "a minute"]),
    )
    def exchange(self, name, mode, socket, between):
        """It is pulled, then what is in our socket, and goes there: as quickly as hands can."""
        self.look()
        here = self._in("1")
        if self.taken is not None or self._beside():
            return
        self._pull(self.units[name])
        if between != "nothing":
            self.look()
        if between == "a minute":
            self.now += 60.0
            self.look()
        if self.taken is not None:
            return
        if here is not None:
            self._pull(here)
        self._plug(self.units[name], socket, mode)
        self.look()

    @precondition(lambda self: self.taken is None)
    @rule(seconds=st.floats(0.01, 10.0))
    def time_passes(self, seconds):
        self.now += seconds

    # --- the run ------------------------------------------------------------------------------

    @precondition(lambda self: self.expected is None)
    @rule()
    def arm(self):
        """In time, or when ours has left already: as the guide does it."""
        modes, guest, anywhere, known = self.wait
        new = [unit for unit in self.units.values() if unit.socket and not self._was_there(unit)]
        anywhere = anywhere and not self.shown and not set(map(id, new)) - {id(self.ours)}
        here = self._look().present
        ours = self.device
        is_here = any(device.visit == ours.visit for device in here)
        others = here if is_here else self.attendance.company(ours)
        self.expected = Expectation(
            "" if anywhere else ours.port,
            modes,
            ours if self.shown else None,
            tuple(device for device in others if anywhere or device.port != ours.port),
            self.ours.serials[BOOT] if known and not self._clones(*OTHERS) else "",
            guest=guest,
        )
        self._hear(self.looks[-1])

    def _look(self) -> Look:
        here = (unit.facts(self.paired) for unit in self.units.values() if unit.socket)
        look = Look(self.now, tuple(sorted(here, key=lambda device: device.port)))
        self.looks = [*self.looks[-7:], look]
        self.attendance.note(look.present, look.at)
        return look

    @precondition(lambda self: self.taken is None)
    @rule()
    def look(self):
        self._hear(self._look())
        assert self.taken or not self._must_be_taken(), "ours was refused without a reason"

    @precondition(lambda self: self.taken is None and self.looks)
    @rule(data=st.data())
    def hear_an_older_look(self, data):
        self._hear(data.draw(st.sampled_from(self.looks)))

    @precondition(lambda self: self.taken is not None)
    @rule()
    def the_run_goes_on(self):
        """It was taken: what comes after is the next wait's concern."""

    def _hear(self, look: Look) -> None:
        if self.expected is None:
            return
        known = (*self.expected.others, *look.present)
        modes = {d.visit: mode for d in known for mode, pid in IDS.items() if pid == d.pid}
        seen = Scene(look.present, modes, self.company, look.at)
        self.company = accompany(self.company, self.expected, seen)
        seen = replace(seen, company=self.company, now=self.now)
        for came in look.present:
            found = judge(self.expected, came, seen)
            if found is not None and found.taken:
                self.taken = came.visit
                return

    def _must_be_taken(self) -> bool:
        """Is ours back where it is awaited, with nothing that could make one doubt?"""
        expected = self.expected
        if expected is None or not self.ours.socket or self.ours.mode not in expected.modes:
            return False
        facts = self.ours.facts(self.paired)
        halves = {expected.port, self.device.sibling} - {""}
        if facts.visit == self.device.visit or not (facts.port in halves or not expected.port):
            return False
        said = {expected.unique, self.device.serial} - {""}
        return self.only_ours_moved or (facts.serial in said and not self._clones(*OTHERS))

    @invariant()
    def nothing_but_ours_is_ever_taken(self):
        taken = getattr(self, "taken", None)
        assert taken is None or taken in self.ours.visits


TestHands = Hands.TestCase
TestHands.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
