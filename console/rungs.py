"""The rungs of the ladder for a device that does not appear, and what their findings mean.

The rule: pure. Who came, what the kernel's lines say, and the verdict are decided here, from
values; console.ladder does the asking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from console.events import Damage, Device, Verdict
from console.families import Family, Mode
from console.flow import Kind, Outcome, Question, Step
from console.hardware.kernel import KernelLog

PULL = "Nothing is sent to it. You can pull it."


class Said(StrEnum):
    """What a rung came to."""

    SHOWS = "shows"
    NOTHING = "nothing"
    SKIP = "skip"
    NEEDLESS = "not needed"


class Who(StrEnum):
    """What arrived."""

    PATIENT = "the dead one"
    KNOWN_GOOD = "the known-good one"
    STRANGER = "another device"
    UNSURE = "nobody can tell"


@dataclass(frozen=True)
class Rung:
    """One rung: its step, its question ("" where nobody is asked), how it is told as not done."""

    step: Step
    ask: str = ""
    short: str = ""


def _rung(name: str, title: str, usual: str, ask: str = "", short: str = "") -> Rung:
    return Rung(Step(name, title, usual, safe=PULL), ask, short)


LOOK = _rung("look", "What is there now", "at once")
KERNEL = _rung("kernel", "What the kernel wrote of its port", "at once")
KNOWN_GOOD = _rung(
    "known_good",
    "A known-good device in that port, that cable",
    "1 min",
    "Does a device that works show in that port, with that cable?",
    "a known-good device in its port and cable",
)
OTHER_CABLE = _rung(
    "other_cable",
    "The known-good device with another cable",
    "1 min",
    "If not: does it show there with another cable?",
    "another cable in that port",
)
OTHER_PORT = _rung(
    "other_port",
    "The dead one in another port, another cable",
    "1 min",
    "Does the dead one show in another port, with another cable?",
    "another port",
)
NO_HUB = _rung(
    "no_hub",
    "The dead one without a hub",
    "1 min",
    "If there is a hub: does the dead one show straight in the machine?",
    "without the hub",
)
BUTTONS = _rung(
    "buttons",
    "Its buttons",
    "1 min",
    "Does it show after its buttons?",
    "its buttons",
)
OTHER_HOST = _rung(
    "other_host",
    "Another computer",
    "5 min",
    "Does it show at another computer (a bare one, no guest), with a cable that works there?",
    "another computer",
)

RUNGS = (LOOK, KERNEL, KNOWN_GOOD, OTHER_CABLE, OTHER_PORT, NO_HUB, BUTTONS, OTHER_HOST)
PLAN = tuple(rung.step for rung in RUNGS)
WHICH = Question(
    "which",
    Kind.CHOICE,
    "If one of its kind comes: is that the dead one?",
    optional=True,
    choices=("patient", "other"),
)
ANSWERS = (Said.SHOWS.value, Said.NOTHING.value, Said.SKIP.value)
QUESTIONS = {
    rung.step.id: Question(rung.step.id, Kind.CHOICE, rung.ask, optional=True, choices=ANSWERS)
    for rung in RUNGS
    if rung.ask
} | {WHICH.id: WHICH}


@dataclass(frozen=True)
class Found:
    """What a rung found: the word that counts, a phrase for the plan, lines for the proof."""

    rung: Rung
    said: Said
    words: str
    lines: tuple[str, ...] = ()

    @classmethod
    def told(cls, rung: Rung, answer: Device | str | None, faults: tuple[str, ...] = ()) -> Found:
        """What somebody answered; None and skip: nobody tried."""
        said = Said(answer) if isinstance(answer, str) else Said.SKIP
        words = {
            Said.SHOWS: "it shows, you said; this bench did not see it",
            Said.NOTHING: "nothing came, you said",
        }.get(said, "not done")
        return cls(rung, said, words, tuple(f"kernel: {line}" for line in faults[-4:]))

    def was_left_out(self) -> bool:
        """Was nothing done on this rung, by choice or for want of need?"""
        return self.said in (Said.SKIP, Said.NEEDLESS)

    @property
    def proof(self) -> tuple[str, ...]:
        """The lines of evidence; none of what was not done."""
        if self.was_left_out():
            return ()
        return (f"{self.rung.step.title}: {self.words}", *self.lines)


@dataclass(frozen=True)
class Findings:
    """Every rung's finding so far, in their order."""

    all: tuple[Found, ...] = ()

    def and_then(self, found: Found) -> Findings:
        return Findings((*self.all, found))

    def said(self, rung: Rung) -> Said:
        """What the rung came to; SKIP where it was not reached."""
        return next((found.said for found in self.all if found.rung is rung), Said.SKIP)

    @property
    def proof(self) -> tuple[str, ...]:
        return tuple(line for found in self.all for line in found.proof)


@dataclass(frozen=True)
class Sight:
    """The device was seen after all: on which rung, as what, where; `was` is its first port.

    `known`: it is in one of its family's modes.
    """

    rung: Rung
    name: str
    port: str
    was: str = ""
    known: bool = True
    guise: Mode | None = None


# --- ports and devices ------------------------------------------------------------------------


def behind_a_hub(port: str) -> bool:
    """Does the port's path lead through a hub? 1-1.4 is port 4 of the hub in 1-1."""
    return "." in port


def in_socket(device: Device, port: str) -> bool:
    """Does it sit there, or in the other half (USB 2 or 3) of the same socket?"""
    return port in (device.port, device.sibling)


def port_words(port: str) -> str:
    return f"port {port}" if port else "its port"


def who_came(
    came: Device,
    known_good: Device | None,
    *,
    ours: bool,
    any_kind: bool,
    good_awaited: bool,
    good_is_here: bool,
) -> Who:
    """Who is that? `ours`: the family knows it; `any_kind`: its family is not known.

    `good_awaited`: the known-good device was asked for just now. One of the patient's own kind
    may then be either: only a person can tell.
    """
    again = known_good is not None and not good_is_here and _alike(came, known_good)
    if again and (came.serial or any_kind or not ours):
        return Who.KNOWN_GOOD
    if good_awaited:
        return Who.UNSURE if ours and not any_kind else Who.KNOWN_GOOD
    if not ours:
        return Who.STRANGER
    return Who.UNSURE if again else Who.PATIENT


def _alike(one: Device, other: Device) -> bool:
    return (one.vid, one.pid, one.serial) == (other.vid, other.pid, other.serial)


# --- the kernel's lines -----------------------------------------------------------------------

OVERLOAD = re.compile("over-?current", re.IGNORECASE)
MEANINGS = (
    (r"error -71\b", "-71: the wire carried nonsense. Cable, plug, hub, or its own USB part."),
    (r"error -110\b", "-110: it did not answer in time. It hangs, or has too little power."),
    (r"error -32\b", "-32: it refused what every USB device must answer. Its firmware is ill."),
    (r"error -(62|84)\b", "-62, -84: broken packets. Cable or plug."),
    ("not accepting address", "It did not take the address that it was given: it does not run."),
    ("unable to enumerate", "The kernel gave up on it. It has power, and pulls its data line."),
    (OVERLOAD.pattern, "The port was overloaded: a short circuit in the device or its cable."),
    ("disabled by hub", "The hub switched the port off: interference, or a loose contact."),
    ("cannot enable", "The port could not be switched on: cable or hub."),
    ("not responding", "It does not respond: it hangs, or a data line is broken."),
)
"""What each of the kernel's complaints means (drivers/usb/core/hub.c; errno: EPROTO and so on)."""
NO_ATTEMPT = (
    "The kernel saw nothing come: no contact. A cable that only charges, no power, or a device "
    "that does not start."
)
DANGER = (
    "Its port was overloaded (over-current).",
    "Look for a short circuit, bent pins or liquid before you plug it in anywhere else.",
)


@dataclass(frozen=True)
class KernelFound:
    """What the kernel's lines say: the finding, each meaning, and a warning with its advice."""

    found: Found
    meanings: tuple[str, ...] = ()
    danger: tuple[str, str] | None = None


def kernel_found(log: KernelLog, port: str) -> KernelFound:
    """The kernel's lines about the port (any port if "") in words."""
    if log.trouble:
        return KernelFound(Found(KERNEL, Said.SKIP, "its log cannot be read"), (log.trouble,))
    faults = log.faults
    if not faults:
        return _without_faults(log, port)
    meanings = tuple(
        words
        for pattern, words in MEANINGS
        if any(re.search(pattern, line, re.IGNORECASE) for line in faults)
    )
    overload = any(OVERLOAD.search(line) for line in faults)
    lines = (*meanings, *(f"kernel: {line}" for line in faults[-4:]))
    found = Found(KERNEL, Said.SHOWS, _trouble(faults, port), lines)
    return KernelFound(found, meanings, DANGER if overload else None)


def _trouble(faults: tuple[str, ...], port: str) -> str:
    """How much of it; and where, unless the run is about one port, which its page names."""
    many = len(faults) > 1
    if port:
        return f"{len(faults)} line{'s' if many else ''} of trouble"
    named = ports_of(faults)
    where = ", ".join(named) if len(named) < 3 else f"{named[0]} and {len(named) - 1} others"
    count = f"{len(faults)} lines tell" if many else "a line tells"
    return f"{count} of trouble on {f'port {where}' if named else 'a port not named'}"


def ports_of(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The ports that the lines name, each once."""
    named = (re.match(r"usb (\d+-[\d.]+):", line) for line in lines)
    return tuple(dict.fromkeys(found[1] for found in named if found))


def _without_faults(log: KernelLog, port: str) -> KernelFound:
    if not port:
        return KernelFound(Found(KERNEL, Said.NOTHING, "no trouble on any port"))
    if not log.lines or "USB disconnect" in log.lines[-1]:
        since = " since it was unplugged" if log.lines else f" on port {port}"
        return KernelFound(
            Found(KERNEL, Said.NOTHING, f"nothing came{since}", (NO_ATTEMPT,)),
            (NO_ATTEMPT,),
        )
    return KernelFound(Found(KERNEL, Said.NOTHING, f"no trouble on port {port}"))


# --- the verdict ------------------------------------------------------------------------------

OF_THE_PATIENT = (OTHER_PORT, NO_HUB, BUTTONS, OTHER_HOST)
"""The rungs on which the dead one itself is tried."""


def outcome(family: Family, findings: Findings, sight: Sight | None) -> Outcome:
    """The verdict on all that was found. Never "repaired": nothing was."""
    if sight is not None:
        return _it_shows(family, findings, sight)
    if findings.said(OTHER_HOST) is Said.SHOWS:
        return Outcome(
            Verdict.ELSEWHERE,
            "It shows at another computer. The cause is this one: its ports, its power or its "
            "system.",
            "Repair it there, or start this machine anew and try again.",
            findings.proof,
            _to_do(findings),
        )
    claimed = [rung for rung in OF_THE_PATIENT if findings.said(rung) is Said.SHOWS]
    if claimed:
        return Outcome(
            Verdict.UNFINISHED,
            f"It is said to show ({claimed[0].short}), and this bench does not see it.",
            f"Plug it in that way, and then: replug run {family.name}.check PORT",
            findings.proof,
            _to_do(findings),
        )
    missing = _not_done(findings)
    if missing:
        return Outcome(
            Verdict.UNFINISHED,
            f"It is not shown. Not every rung was done: {', '.join(missing)}. "
            f"{_place(findings)}".rstrip(),
            "Do these too before you call it dead.",
            findings.proof,
            _to_do(findings),
        )
    return Outcome(
        Verdict.BEYOND,
        "It does not enumerate: no port, no cable, nothing to press and no other computer brought "
        "it back. It is dead for USB.",
        family.dead.lost,
        findings.proof,
        _to_do(findings),
        Damage.DEAD,
    )


def _not_done(findings: Findings) -> tuple[str, ...]:
    needed = [KNOWN_GOOD, *OF_THE_PATIENT]
    if findings.said(KNOWN_GOOD) is Said.NOTHING:
        needed.insert(1, OTHER_CABLE)
    return tuple(rung.short for rung in needed if findings.said(rung) is Said.SKIP)


def _place(findings: Findings) -> str:
    """What is known of its port and cable."""
    match findings.said(KNOWN_GOOD), findings.said(OTHER_CABLE):
        case Said.SHOWS, _:
            return "Its port and its cable work."
        case Said.NOTHING, Said.SHOWS:
            return "Its cable is faulty."
        case Said.NOTHING, Said.NOTHING:
            return "Its port is faulty, or what is behind it."
        case Said.NOTHING, _:
            return "Its port or its cable is faulty."
        case _:
            return ""


def _to_do(findings: Findings) -> tuple[str, ...]:
    faulty = _place(findings)
    return (faulty,) if faulty and findings.said(KNOWN_GOOD) is Said.NOTHING else ()


def _it_shows(family: Family, findings: Findings, sight: Sight) -> Outcome:
    flow = f"{family.name}.check" if sight.known else "generic.check"
    where = f"It does show: {sight.name} on port {sight.port}."
    if sight.guise is not None or not sight.known:
        about = sight.guise.about if sight.guise else "That is none of the modes it should have."
        then = (
            sight.guise.next if sight.guise else f"See what it is: replug run {flow} {sight.port}"
        )
        return Outcome(
            Verdict.UNFINISHED,
            f"Fault found: {where[:-1]}. {about}",
            then,
            findings.proof,
            _to_do(findings),
        )
    verdict, why = cause(findings, sight)
    return Outcome(
        verdict,
        f"{where} {why}".rstrip(),
        f"Now check it: replug run {flow} {sight.port}",
        findings.proof,
        _to_do(findings),
    )


def cause(findings: Findings, sight: Sight) -> tuple[Verdict, str]:
    """Why it did not show before, from the rung that brought it back."""
    if sight.rung is OTHER_PORT:
        return _by_another_port(findings, sight)
    return {
        LOOK.step.id: (Verdict.NO_FAULT, ""),
        KNOWN_GOOD.step.id: (
            Verdict.NO_FAULT,
            "It came back when it was plugged in again: a loose contact, or its power.",
        ),
        OTHER_CABLE.step.id: (Verdict.ELSEWHERE, "The cause was its cable."),
        NO_HUB.step.id: (Verdict.ELSEWHERE, "The cause was the hub, or too little power from it."),
        BUTTONS.step.id: (
            Verdict.NO_FAULT,
            "Its buttons woke it: it is not dead, its firmware shows nothing on USB or is gone.",
        ),
    }[sight.rung.step.id]


def _by_another_port(findings: Findings, sight: Sight) -> tuple[Verdict, str]:
    if sight.port == sight.was:
        return Verdict.ELSEWHERE, "In the same port with another cable: the cause was its cable."
    match findings.said(KNOWN_GOOD), findings.said(OTHER_CABLE):
        case Said.NOTHING, Said.SHOWS:
            return Verdict.ELSEWHERE, "The cause was its cable."
        case Said.NOTHING, Said.NOTHING:
            return (
                Verdict.ELSEWHERE,
                f"The cause was {port_words(sight.was)}, or what is behind it.",
            )
        case Said.SHOWS, _:
            return (
                Verdict.NO_FAULT,
                "Port and cable work with another device, so why it did not show is not settled: "
                "a loose contact, or its power.",
            )
        case _:
            return (
                Verdict.ELSEWHERE,
                "The cause was its port or its cable: which of the two was not tried.",
            )
