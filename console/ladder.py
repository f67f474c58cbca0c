"""The ladder for a device that does not appear: rung by rung to the cause, with the evidence.

The rule: it sends nothing and opens no line. It believes the bus before anybody; what it was only
told stands in the record as that. The moment the device shows, the ladder ends. A family brings
data alone (console.families.DeadEnd); what the rungs found is judged by console.rungs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from console.arrivals import Arrivals, Hear, Look, Watch
from console.events import Device
from console.families import Family, Mode
from console.flow import Flow, Outcome, Question
from console.guide import Guide
from console.hardware.identity import Grade, Judgement
from console.rungs import (
    BUTTONS,
    KERNEL,
    KNOWN_GOOD,
    LOOK,
    NO_HUB,
    OTHER_CABLE,
    OTHER_HOST,
    OTHER_PORT,
    PLAN,
    QUESTIONS,
    WHICH,
    Findings,
    Found,
    Rung,
    Said,
    Sight,
    Who,
    behind_a_hub,
    in_socket,
    kernel_found,
    outcome,
    port_words,
    who_came,
)
from console.strangers import named

LIMIT = 600.0
"""Seconds that a rung waits for hands; then it counts as not done."""
USUAL = 60.0
UNKNOWN = "I do not know what it is"
SAFE = "Nothing is sent to any device. You can plug and pull as you like."
UNSEEN = "I would see it myself, and nothing has come yet. Wait a moment, or answer: nothing"


def ladder_of(family: Family) -> Flow:
    """The check of the family for a device that is not shown."""
    return Flow(
        name="check",
        title=f"Why is it not shown? {family.title if family.modes else UNKNOWN}",
        about="Tries port, cable, hub, buttons and another computer one by one. Sends nothing.",
        plan=PLAN,
        perform=partial(climb, family),
        questions=tuple(QUESTIONS.values()),
        ready=(
            "A device that is known to work, best of another kind (a mouse).",
            "Another cable that carries data; another computer.",
        ),
        hands="plug and pull, as it says",
        keeps="Everything: nothing is sent to any device.",
    )


def climb(family: Family, guide: Guide) -> Outcome:
    """Rung by rung until it shows, or to the end."""
    ladder = Ladder(family, guide)
    rungs = (
        (LOOK, ladder.look),
        (KERNEL, ladder.kernel),
        (KNOWN_GOOD, ladder.known_good),
        (OTHER_CABLE, ladder.other_cable),
        (OTHER_PORT, ladder.other_port),
        (NO_HUB, ladder.no_hub),
        (BUTTONS, ladder.buttons),
        (OTHER_HOST, ladder.other_host),
    )
    for rung, work in rungs:
        if ladder.sight is None and not ladder.may_leave_out(rung):
            found = guide.step(
                rung.step, work, found=lambda found: found.words, left_out=Found.was_left_out
            )
            ladder.findings = ladder.findings.and_then(found)
    return outcome(family, ladder.findings, ladder.sight)


@dataclass(frozen=True)
class _Try:
    """What hands do on a rung: the question, and what it says while it waits."""

    rung: Rung
    text: str
    what: str
    hands: tuple[str, ...]

    @property
    def question(self) -> Question:
        return QUESTIONS[self.rung.step.id]

    @property
    def watch(self) -> Watch:
        return Watch(self.what, self.hands, SAFE, USUAL, LIMIT)


class Ladder:
    """One climb: what was found so far, and the device once it was seen."""

    def __init__(self, family: Family, guide: Guide) -> None:
        self._family = family
        self._any_kind = not family.modes
        self._guide = guide
        self._arrivals: Arrivals = guide.arrivals()
        self._there = guide.present
        self._port = guide.device.port
        self._known_good: Device | None = None
        self._stranger: Device | None = None
        self._faults = frozenset(guide.kernel_faults().faults)
        self.findings = Findings()
        self.sight: Sight | None = None

    def may_leave_out(self, rung: Rung) -> bool:
        """Is the answer known without it?"""
        return rung is OTHER_CABLE and self.findings.said(KNOWN_GOOD) is not Said.NOTHING

    # --- what can be seen without hands ----------------------------------------------------

    def look(self) -> Found:
        """What is on the port and on the bus at this moment."""
        for device in self._there:
            if self._is_it_already(device):
                return self._seen(LOOK, device)
        strange = [known for known in self._there if self._kind(known) is None]
        if strange and not self._port:
            for known in strange[:4]:
                self._pass_by(known, f"{named(known)} is here, on port {known.port}.")
            self._guide.tell(
                "None of what is here is as awaited.",
                "If one of them is it, stop (S) and check that one.",
            )
        if self._guide.guest:
            self._guide.tell(
                "This machine runs in another one: its host must attach the device to it.",
                "Look there first. In each of its modes it is attached anew.",
            )
        return Found(LOOK, Said.NOTHING, "it is not shown on any port")

    def _is_it_already(self, device: Device) -> bool:
        here = bool(self._port) and in_socket(device, self._port)
        ours = self._kind(device) is not None
        if here and (ours or self._any_kind):
            return True
        return (here or ours) and self._is_the_patient(device)

    def kernel(self) -> Found:
        """What the kernel wrote of the port; of any port where none was named."""
        log = self._guide.kernel_log() if self._port else self._guide.kernel_faults()
        found = kernel_found(log, self._port)
        for line in log.nameless:  # whose device was there last is not known
            self._guide.tell(f"kernel: {line}")
        for meaning in found.meanings:
            self._guide.tell(meaning)
        if found.danger:
            self._guide.warn(*found.danger)
        return found.found

    # --- a device that is known to work ----------------------------------------------------

    def known_good(self) -> Found:
        """Something else in that port and cable: is it they?"""
        where = port_words(self._port)
        return self._try_known_good(
            _Try(
                KNOWN_GOOD,
                f"Does a device that works show on {where}, with the cable of the dead one? I see "
                "it come myself; answer nothing if it is in and does not.",
                f"a known-good device on {where}",
                (
                    f"Take the dead one out of {where}; leave the cable in.",
                    "Put a device that works on that cable, best of another kind.",
                ),
            )
        )

    def other_cable(self) -> Found:
        """The same with another cable: the cable, or the port?"""
        where = port_words(self._port)
        return self._try_known_good(
            _Try(
                OTHER_CABLE,
                f"Does the device that works show on {where} with another cable? I see it come "
                "myself; answer nothing if it is in and does not.",
                f"the known-good device on {where}, with another cable",
                (
                    f"Leave the device that works at {where}, but with another cable.",
                    "One that carries data: many only charge.",
                ),
            )
        )

    def _try_known_good(self, wish: _Try) -> Found:
        while True:
            came = self._ask(wish, self._answers_for_known_good, self._objects_to_known_good)
            if not isinstance(came, Device):
                return Found.told(wish.rung, came)
            if self._who(came, good_awaited=True) is Who.UNSURE and self._is_the_patient(came):
                return self._seen(wish.rung, came)
            if self._port and not in_socket(came, self._port):
                continue
            self._known_good = came
            return Found(wish.rung, Said.SHOWS, f"{named(came)} shows on port {came.port}")

    def _answers_for_known_good(self, came: Device) -> bool:
        who = self._who(came, good_awaited=True)
        if who is Who.UNSURE:
            return True  # a person must say which of the two it is
        if self._port and not in_socket(came, self._port):
            self._pass_by(came, f"It came on port {came.port}; it is asked for on {self._port}.")
            return False
        self._pass_by(came, f"The known-good device shows on port {came.port}.")
        return True

    def _objects_to_known_good(self, answer: str) -> str:
        sits = any(self._port and in_socket(known, self._port) for known in self._guide.present)
        return UNSEEN if answer == Said.SHOWS and not sits else ""

    # --- the dead one itself ---------------------------------------------------------------

    def other_port(self) -> Found:
        """Elsewhere, with another cable."""
        return self._try_patient(
            _Try(
                OTHER_PORT,
                "Does the dead one show in another port, with another cable? I see it come on any "
                "port; answer nothing if it is in and does not.",
                "the dead one on any other port",
                (
                    "Put the dead one into another port, one where things work.",
                    "Take another cable for it, one that carries data.",
                ),
            )
        )

    def no_hub(self) -> Found:
        """Straight into the machine, if its path leads through a hub."""
        if self._port and not behind_a_hub(self._port):
            return Found(NO_HUB, Said.NEEDLESS, f"no hub in between: port {self._port}")
        where = f"Port {self._port} is behind a hub." if self._port else "A hub may be in between."
        return self._try_patient(
            _Try(
                NO_HUB,
                f"{where} Does the dead one show straight in the machine? Answer nothing if it is "
                "in and does not.",
                "the dead one straight in the machine",
                ("Put the dead one straight into a socket of the machine, without any hub.",),
            )
        )

    def buttons(self) -> Found:
        """What wakes a device of this family."""
        dead = self._family.dead
        if not dead.buttons:
            return Found(BUTTONS, Said.NEEDLESS, "it has nothing to press")
        for sign in dead.signs:
            self._guide.tell(sign)
        return self._try_patient(
            _Try(
                BUTTONS,
                "Does it show after its buttons? I see it come on any port; answer nothing if you "
                "did all of it and it does not.",
                "the dead one, woken by its buttons",
                dead.buttons,
            )
        )

    def other_host(self) -> Found:
        """The one rung that this machine cannot see."""
        return Found.told(OTHER_HOST, self._guide.ask(QUESTIONS[OTHER_HOST.step.id]))

    def _try_patient(self, wish: _Try) -> Found:
        while True:
            self._stranger = None
            came = self._ask(wish, self._answers_for_patient, self._objects_to_patient)
            if came == Said.SHOWS and self._stranger is not None:
                return self._seen(wish.rung, self._stranger)
            if not isinstance(came, Device):
                return Found.told(wish.rung, came, self._new_faults())
            if self._who(came) is not Who.UNSURE or self._is_the_patient(came):
                return self._seen(wish.rung, came)

    def _answers_for_patient(self, came: Device) -> bool:
        who = self._who(came)
        if who in (Who.PATIENT, Who.UNSURE):
            return True
        if who is Who.KNOWN_GOOD:
            self._pass_by(came, f"The known-good device is back, on port {came.port}.")
            return False
        self._stranger = came
        self._pass_by(
            came,
            f"{named(came)} came on port {came.port}: none of this family. If that is the one you "
            "hold to be dead, answer: shows",
        )
        return False

    def _objects_to_patient(self, answer: str) -> str:
        return UNSEEN if answer == Said.SHOWS and self._stranger is None else ""

    def _new_faults(self) -> tuple[str, ...]:
        """The kernel's lines of trouble that were not there before."""
        faults = tuple(line for line in self._guide.kernel_faults().faults)
        new = tuple(line for line in faults if line not in self._faults)
        self._faults |= frozenset(new)
        return new

    # --- who is who ------------------------------------------------------------------------

    def _ask(self, wish: _Try, look: Look, hear: Hear) -> Device | str | None:
        return self._arrivals.ask(wish.question, wish.text, wish.watch, look, hear)

    def _kind(self, device: Device) -> Mode | None:
        """The guise or the mode of this family in which it shows."""
        guise = self._family.dead.guise_of(device)
        return guise or (self._family.mode_of(device) if self._any_kind is False else None)

    def _who(self, came: Device, *, good_awaited: bool = False) -> Who:
        return who_came(
            came,
            self._known_good,
            ours=self._any_kind or self._kind(came) is not None,
            any_kind=self._any_kind,
            good_awaited=good_awaited,
            good_is_here=self._is_here(self._known_good),
        )

    def _is_here(self, device: Device | None) -> bool:
        return device is not None and any(
            known.visit == device.visit for known in self._guide.present
        )

    def _is_the_patient(self, device: Device) -> bool:
        """Ask a person: what came could be the dead one, or another of its kind."""
        name = self._name(device)
        question = f"{name} is on port {device.port}. Is that the one held to be dead?"
        answer = self._guide.ask(WHICH, question)
        if answer == "patient":
            return True
        why = "is another one" if answer else "may be another one: nobody says that it is ours"
        self._pass_by(device, f"{name} on port {device.port} {why}.")
        return False

    def _name(self, device: Device) -> str:
        kind = self._kind(device)
        return f"{kind.title} ({device.vid}:{device.pid})" if kind else named(device)

    def _seen(self, rung: Rung, device: Device) -> Found:
        name, guise = self._name(device), self._family.dead.guise_of(device)
        known = self._family.mode_of(device) is not None
        self.sight = Sight(rung, name, device.port, self._port, known=known, guise=guise)
        self._guide.judged(
            device, Judgement(True, f"It shows: {name} on port {device.port}.", Grade.ONLY)
        )
        return Found(rung, Said.SHOWS, f"it shows: {name} on port {device.port}")

    def _pass_by(self, device: Device, why: str) -> None:
        self._guide.judged(device, Judgement(False, f"{why} It was not touched."))
