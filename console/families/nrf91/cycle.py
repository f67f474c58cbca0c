"""The power cycle after every change: off and on by hand, and the list compared once more.

The rule: what was written is proven only when it is listed after the power was gone; where nobody
switched it off, the verdict says that. The functional mode is as it was found in the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.errors import ConsoleError, DeviceError
from console.events import Damage, Device, Verdict
from console.families.nrf91.approach import (
    RUNNING,
    Patient,
    find_port,
    keep,
    modem_at,
    put_mode_back,
)
from console.families.nrf91.check import names_of, unproven, untold
from console.families.nrf91.modem import OFF, Modem
from console.families.nrf91.sheet import Item
from console.families.nrf91.store import Difference, Picture, names
from console.flow import Outcome, Step
from console.guide import Acts, Guide, Reconnect

BACK_LIMIT, BACK_USUAL = 180.0, 20.0
AWAKE_TRIES = 10
"""Tries to wake a line whose board has just started and may still talk of its boot."""

_DONE = "It is done, and listed. You can pull it."

FLUSH = Step("flush", "Have it close its memory (CFUN=0)", usual="under 10 s", safe=_DONE)
POWER = Step(
    "power",
    "Switch it off and on",
    usual="under 1 min",
    safe="It is done, and listed. Switching it off is what is asked for now.",
)
PROVE = Step("prove", "List again after the power cycle", usual="under 15 s", safe=_DONE)
STEPS = (FLUSH, POWER, PROVE)
HANDS = (
    "Switch it off. No switch: pull the USB cable, and the battery if it has one.",
    "Wait 5 s.",
    "Switch it on, with the USB cable in the same port.",
)

HANDS_AGAIN = (
    "It came back on USB, but its modem was never off: a battery kept it on.",
    "Switch it off with its own switch, or take the battery out and pull the cable.",
    *HANDS[1:],
)
_NEVER_OFF = "it came back on USB, but its modem was never off"


@dataclass(frozen=True)
class Work:
    """What was done, in the words of a verdict: "Restored", what, and how the list shows it."""

    done: str
    what: str
    listed: str
    flow: str
    advice: str
    to_do: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    again: str = "run check: it compares with this run's last picture"
    left_open: str = ""
    """What the list does not tell."""

    @classmethod
    def by_sheet(
        cls, done: str, items: tuple[Item, ...], written: Picture, flow: str, advice: str
    ) -> Work:
        """Entries of a job sheet, which tells their digests, as far as the modem does too."""
        bare = untold(items, written)
        return cls(
            done,
            names_of(items),
            "listed" if len(bare) == len(items) else "listed with the right digests",
            flow,
            advice,
            to_do_of(items, written),
            again="run check with the same sheet",
            left_open=unproven(items, written),
        )


def to_do_of(items: tuple[Item, ...], written: Picture) -> tuple[str, ...]:
    """What is left to do about what the modem lists without a digest."""
    bare = names_of(untold(items, written))
    return (f"Let it connect once: only that proves {bare}.",) if bare else ()


def proven(
    guide: Guide,
    patient: Patient,
    written: Picture,
    work: Work,
    pairs: Iterable[tuple[int, int]],
) -> Outcome:
    """The verdict about a change of those pairs that is in, after a power cycle or without one."""
    try:
        now = _cycled(guide, patient)
    except ConsoleError as error:
        _put_back_where_it_stayed(guide, patient)
        return _not_proven(patient, work, error.sentence.rstrip("."))
    if isinstance(now, str):
        _put_back_where_it_stayed(guide, patient)
        return _not_proven(patient, work, now)
    touched = set(pairs)
    moved = now.since(written)
    own = tuple(entry for entry in moved.new if entry.pair not in touched)
    if moved.vanished or moved.changed or len(own) < len(moved.new):
        return _moved(patient, written, now, moved, work)
    if own:
        guide.warn(f"Its application wrote something at its start: {names(own)}.")
    return Outcome(
        Verdict.REPAIRED,
        f"{work.done}: {work.what}; {work.listed} before and after a power cycle{work.left_open}.",
        work.advice,
        (*pictures(patient), f"After the power cycle: {now}", *work.facts),
        work.to_do,
        Damage.NOTHING,
    )


def pictures(patient: Patient) -> tuple[str, ...]:
    return (str(patient.identity), f"Store before: {patient.picture}")


def _cycled(guide: Guide, patient: Patient) -> Picture | str:
    """The store after the power was gone; or why it was not."""
    why, port = "it was not switched off and on", patient.path
    for hands in (HANDS, HANDS_AGAIN):
        if _off_and_on(guide, port, hands) is None:
            break
        now = guide.step(PROVE, _listed, guide, patient, found=lambda it: str(it or _NEVER_OFF))
        if now is not None:
            return now
        why, port = _NEVER_OFF, find_port(guide)
    return why


def _off_and_on(guide: Guide, port: str, hands: tuple[str, ...]) -> Device | None:
    with guide.expect(*RUNNING, what="the board, switched off and on again") as back:
        with modem_at(guide, port) as modem:
            guide.step(FLUSH, modem.set_mode, OFF, found=lambda _: "closed")
        return guide.step(POWER, _wait, back, hands, found=_arrival)


def _wait(back: Reconnect, hands: tuple[str, ...]) -> Device | None:
    return back.wait(
        limit=BACK_LIMIT, usual=BACK_USUAL, hands=hands, safe=POWER.safe, acts=Acts.BRING
    )


def _arrival(came: Device | None) -> str:
    return "it is back" if came else "it did not go and come back"


def _listed(guide: Guide, patient: Patient) -> Picture | None:
    """What it holds now; None where its modem was never off.

    Raises GateClosed where it is another modem, or answers no AT.
    """
    port = find_port(guide, AWAKE_TRIES)
    with modem_at(guide, port) as modem:
        identity = modem.identify()
        guide.unique(identity.unit)
        if _was_never_off(modem, patient):
            put_mode_back(guide, modem, patient.mode)
            return None
        picture = modem.picture(identity)
        keep(guide, picture, "after-power-cycle")
        put_mode_back(guide, modem, patient.mode)
        modem.put_numbers_back()
        return picture


def _was_never_off(modem: Modem, patient: Patient) -> bool:
    """Are numbers (CMEE=1) and mode (CFUN=0) both as they were left, and other than found?

    A modem starts with CMEE=0. An application may set one of them itself: that proves nothing.
    """
    were_other = patient.numbered is False and patient.mode != OFF
    return were_other and modem.numbered is True and modem.mode() == OFF


def _put_back_where_it_stayed(guide: Guide, patient: Patient) -> None:
    """The functional mode, where the board never went away."""
    with guide.tidying():
        try:
            with modem_at(guide, patient.path) as modem:
                put_mode_back(guide, modem, patient.mode)
        except DeviceError as error:
            guide.tell(f"Its functional mode could not be looked at: {error.sentence}")


def _moved(
    patient: Patient, written: Picture, now: Picture, moved: Difference, work: Work
) -> Outcome:
    return Outcome(
        Verdict.UNFINISHED,
        f"After the power cycle the store is not as it was written: {moved}.",
        f"Run {work.flow} once more on a bench supply. If it happens again, the board goes to RMA "
        "with both pictures and the modem firmware's version.",
        (*pictures(patient), f"Store after: {written}", f"After the power cycle: {now}"),
        damage=Damage.HALF,
    )


def _not_proven(patient: Patient, work: Work, why: str) -> Outcome:
    return Outcome(
        Verdict.REPAIRED,
        f"{work.done}, power-cycle not proven: {work.what} ({work.listed}); {why}{work.left_open}.",
        f"Switch it off and on, then {work.again}.",
        (*pictures(patient), *work.facts),
        (f"A power cycle; then {work.again}.", *work.to_do),
        Damage.NOTHING,
    )
