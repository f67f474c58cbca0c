"""Resets: FIDO2 by its own ritual, one application or the whole key by the admin app.

The rule: each says exactly what it erases before it is agreed to; the key that is reset is proven
to be the one that was agreed to, by what it answers; and what is said to be erased, the key
has said afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fido2.ctap import CtapError
from fido2.ctap2.base import Ctap2
from fido2.ctap2.pin import ClientPin

from console.errors import Garbled, GateClosed, Refused, Unplugged
from console.events import Damage, Device, Verdict
from console.families.nitrokey3 import leftover
from console.families.nitrokey3.admin import Admin, over_ctaphid
from console.families.nitrokey3.approach import (
    IDENTIFY,
    admin,
    identify,
    touched,
)
from console.families.nitrokey3.ctaphid import Ctap, OnTouch, refused, told
from console.families.nitrokey3.leftover import Leftover
from console.families.nitrokey3.rules import Found
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide, Reconnect

WINDOW = 10.0
"""Seconds after power-up within which FIDO2 lets itself be reset (CTAP 2.1, 6.6)."""
FIDO2_TOUCH = 30.0
"""Seconds that it waits for the touch, once the reset has reached it in time."""
BY_HAND = 600.0
BACK = 60.0
ATTEMPTS = 3


@dataclass(frozen=True)
class Target:
    """What can be reset: the admin app's name for it, and what dies and what stays."""

    word: str
    title: str
    dies: str
    stays: str


TARGETS = (
    Target(
        "fido2",
        "FIDO2",
        "All passkeys, the FIDO2 PIN and every registration made with this key (U2F too) are gone.",
        "OpenPGP keys, one-time passwords and the firmware stay.",
    ),
    Target(
        "opcard",
        "the OpenPGP card",
        "All three OpenPGP keys and its PINs are gone; the PINs are 123456 and 12345678 again.",
        "Passkeys, one-time passwords and the firmware stay.",
    ),
    Target(
        "secrets",
        "the secrets app",
        "All one-time passwords, stored passwords and their PIN are gone.",
        "Passkeys, OpenPGP keys and the firmware stay.",
    ),
    Target("piv", "PIV", "All PIV keys, certificates and PINs are gone.", "All the rest stays."),
    Target(
        "all",
        "the whole key",
        "Everything is gone: passkeys, PINs, OpenPGP keys, one-time passwords, PIV, settings.",
        "The firmware stays.",
    ),
)
INSIDE = {"Nitrokey 3": ("secrets", "opcard"), "Passkey": ()}
"""What a product has beside FIDO2 that can be looked into without a PIN."""
APPS = Question(
    "apps",
    Kind.CHOICE,
    "What is to be reset?",
    choices=tuple(target.word for target in TARGETS),
)
CONFIRM = Question("confirm_reset", Kind.TYPED, "Erase it? Nothing brings it back.")

ARMED = Step(
    "again",
    "Unplug, plug in, touch",
    usual="under 30 s",
    safe="Nothing is erased until you touch it. Too late? Nothing lost, again.",
)
ERASE = Step(
    "erase",
    "Have it erase itself",
    usual="under 15 s",
    undoable=False,
    damage=Damage.CARD,
    safe="Nothing is erased until you touch it; then leave it plugged in.",
)
READ_BACK = Step("read", "Ask it what is left", usual="under 1 s")
RESTART = Step("restart", "Wait for it to be back", usual="under 10 s", undoable=False)


@dataclass(frozen=True)
class Face:
    """What FIDO2 tells of itself: enough to tell two keys apart a little, and what is on it.

    `room` is for how many more passkeys, `tries` how many are left for the PIN; None: not told.
    """

    aaguid: str
    versions: tuple[str, ...]
    has_pin: bool
    room: int | None
    tries: int | None = None

    @property
    def sentence(self) -> str:
        told = ["a FIDO2 PIN is set" if self.has_pin else "no FIDO2 PIN is set"]
        told += [f"{self.tries} PIN tries"] if self.tries is not None else []
        told += [f"room for {self.room} passkeys"] if self.room is not None else []
        return ", ".join(told)


def reset(guide: Guide) -> Outcome:
    found = guide.step(IDENTIFY, identify, guide, found=lambda found: found.sentence)
    if found.loader:
        raise GateClosed(
            "It is in its bootloader: there is nothing that could be reset.",
            "Run flash first, or pull it and plug it in.",
        )
    word = guide.ask(APPS)
    target = next(target for target in TARGETS if target.word == word)
    _agree(guide, target, found)
    if target.word == "fido2":
        return _fido2(guide, target, found)
    return _by_admin(guide, target, found)


def _agree(guide: Guide, target: Target, found: Found) -> None:
    if not found.uuid:
        raise GateClosed(
            "The key tells no id, so I cannot prove later that it is the one that you mean.",
            "Nothing is erased. Flash newer firmware first, then reset.",
        )
    four = found.uuid[-4:]
    ask = f"{target.dies} {target.stays} Its id ends in {four}. Type these four to erase."
    guide.ask(CONFIRM, ask, must_type=four)


# --- FIDO2: armed, then pulled and plugged in ------------------------------------------------


def _fido2(guide: Guide, target: Target, found: Found) -> Outcome:
    with guide.hid() as line:
        before = full_face(Ctap(line))
    mode = found.product.mode_of_app()
    for attempt in range(1, ATTEMPTS + 1):
        with guide.expect(mode, what=f"the {found.product.short}, plugged in again") as back:
            came = guide.step(ARMED, _by_hand, back, found=_came)
        if came is None:
            return _not_done("It was not plugged in again. Nothing was erased.")
        try:
            answered = _erase_and_return(guide, found, before)
            break
        except Refused as error:
            if error.code not in ("30", "27", "2F", "3A") or attempt == ATTEMPTS:
                raise
            guide.tell(_too_late(error), "Nothing is lost: once more.")
    if not guide.mode:
        return _not_done("It left before it had answered, and did not come back in time.")
    after = guide.step(READ_BACK, _look, guide, found, found=lambda after: after.sentence)
    return _fido2_proven(target, before, after, answered)


def _erase_and_return(guide: Guide, found: Found, before: Face) -> bool:
    """Did it answer? One that left instead is waited for: only it knows what it did."""
    with guide.expect(found.product.mode_of_app(), what="the key, back again") as back:
        answered: list[bool] = []
        guide.step(ERASE, _erase_fido2, guide, found, before, answered)
        if not answered:
            guide.tell("Its answer was lost on the way. What it says now decides.")
            guide.step(RESTART, lambda: back.wait(limit=BACK, usual=3.0), found=_came)
    return bool(answered)


def _look(guide: Guide, found: Found) -> Face:
    with guide.hid() as line:
        ctap = Ctap(line)
        _must_be_ours(found, Admin(over_ctaphid(ctap)).uuid())
        return full_face(ctap)


def _by_hand(back: Reconnect) -> Device | None:
    hands = (
        "Pull it out.",
        "Plug it back in, same port. No hurry, nothing is counting yet.",
        "Touch it while it blinks, within 10 s of plugging in.",
    )
    return back.wait(limit=BY_HAND, usual=15.0, hands=hands, safe=ARMED.safe, window=WINDOW)


def _came(device: Device | None) -> str:
    return f"back on port {device.port}" if device else "it did not come"


def _erase_fido2(guide: Guide, found: Found, before: Face, answered: list[bool]) -> None:
    """The same key is proven by its answers first; those take milliseconds of its ten seconds."""
    with guide.hid() as line:
        ctap = Ctap(line)
        _must_be_same(found, Admin(over_ctaphid(ctap)).uuid(), before, face(ctap))
        with touched(guide, "your touch: it erases FIDO2", ARMED.safe, FIDO2_TOUCH) as on_touch:
            try:
                _reset(ctap, on_touch)
            except Unplugged:
                return
        answered.append(True)


def _must_be_same(found: Found, uuid: str, before: Face, now: Face) -> None:
    told = (now.aaguid, now.versions) == (before.aaguid, before.versions)
    _must_be_ours(found, uuid if told else "")


def _must_be_ours(found: Found, uuid: str) -> None:
    if uuid == found.uuid:
        return
    raise GateClosed(
        f"This is another key: its id ends in {uuid[-4:] or 'nothing'}, ours in {found.uuid[-4:]}.",
        "Nothing was erased on either. Pull it, take ours, and run again.",
    )


def _reset(ctap: Ctap, on_touch: OnTouch) -> None:
    try:
        Ctap2(ctap.device).reset(on_keepalive=told(on_touch))
    except CtapError as error:
        raise refused(error) from None


def _too_late(error: Refused) -> str:
    if error.code == "30":
        return "Its 10 s were over before the reset reached it."
    return "No touch was seen in time."


def _fido2_proven(target: Target, before: Face, after: Face, answered: bool) -> Outcome:
    proof = (f"before: {before.sentence}", f"now: {after.sentence}")
    changed = changes(before, after)
    if after.has_pin:
        said = "It took the reset, and says" if answered else "It left in the reset, and says"
        return Outcome(
            Verdict.UNFINISHED,
            f"{said} all the same that a PIN is set.",
            "Run reset again. If it says the same, return it with this record.",
            proof,
        )
    if not answered and not changed:
        return _not_done("It left before it had answered, and nothing else tells what it did.")
    anew = "Every service has to be registered with it anew."
    if not changed:
        return Outcome(
            Verdict.REPAIRED,
            f"{target.title} is reset by the key's own answer alone: no PIN was set before, none "
            "is set now, and nothing else that it tells without a PIN could change.",
            f"{anew} Proof, if it is needed: a service that knew it must not know it now.",
            (*proof, "proven: it answered the reset with success; not proven: what it erased"),
        )
    return Outcome(
        Verdict.REPAIRED,
        f"{target.title} is reset, by what the key itself says: {changed}; no PIN is set.",
        anew,
        (*proof, f"proven by: {changed}"),
    )


def changes(before: Face, after: Face) -> str:
    """What a reset alone can have changed, as words; "" where nothing that was told did."""
    found = []
    if before.has_pin and not after.has_pin:
        found.append("its PIN is gone")
    if before.room is not None and after.room is not None and after.room > before.room:
        found.append(f"there is room for {after.room} passkeys, and was for {before.room}")
    if before.tries is not None and after.tries is not None and after.tries > before.tries:
        found.append(f"its PIN tries are {after.tries} again, and were {before.tries}")
    return "; ".join(found)


def full_face(ctap: Ctap) -> Face:
    """As face(), and how many tries the PIN has: one exchange more, outside of the ten seconds."""
    found = face(ctap)
    try:
        tries, _ = ClientPin(Ctap2(ctap.device)).get_pin_retries()
    except (CtapError, ValueError, KeyError, TypeError):
        return found  # it has none to tell without a PIN, or another form of it
    return replace(found, tries=tries)


def face(ctap: Ctap) -> Face:
    """Raises Refused where it has no FIDO2, Garbled, Silent, Unplugged."""
    if not ctap.has_ctap2:
        raise Refused("The key offers no FIDO2.", "Its firmware may be too old.", code="no CBOR")
    try:
        info = Ctap2(ctap.device).info
    except CtapError as error:
        raise refused(error) from None
    except (ValueError, KeyError, TypeError) as error:
        raise Garbled(f"What it tells of its FIDO2 cannot be read ({error}).") from None
    return Face(
        bytes(info.aaguid).hex(),
        tuple(info.versions),
        bool(info.options.get("clientPin")),
        info.remaining_disc_creds,
    )


# --- by the admin app ------------------------------------------------------------------------


def _by_admin(guide: Guide, target: Target, found: Found) -> Outcome:
    if target.word == "all":
        return _whole(guide, target, found)
    before = leftover.look(guide, target.word, after=False)
    guide.step(ERASE, _erase_app, guide, target, found)
    after = guide.step(READ_BACK, leftover.look, guide, target.word, True, found=_told)
    return _app_proven(target, before, after)


def _told(left: Leftover | None) -> str:
    return left.sentence if left else "it cannot be asked here"


def _app_proven(target: Target, before: Leftover | None, after: Leftover | None) -> Outcome:
    """The verdict on one application, from what that application says now."""
    proof = tuple(
        f"{when}: {left.sentence}" for when, left in (("before", before), ("now", after)) if left
    )
    if after is None:
        return Outcome(
            Verdict.UNFINISHED,
            f"The key says that it has reset {target.title}; not read back.",
            "Nothing here can look into it: look with the program that uses it, at a machine with "
            "a card reader service (pcscd).",
            (f"its answer: done. {target.dies}",),
        )
    if not after.empty:
        return Outcome(
            Verdict.UNFINISHED,
            f"The key says that it has reset {target.title}, and all the same {after.sentence}.",
            "Run reset again. If it says the same, return it with this record.",
            proof,
        )
    anew = before and before.mark and after.mark and before.mark != after.mark
    fresh = " Its own mark is a new one." if anew else ""
    return Outcome(
        Verdict.REPAIRED,
        f"{target.title[:1].upper()}{target.title[1:]} is reset, read back from it: "
        f"{after.sentence}.{fresh}",
        "",
        (*proof, target.dies),
    )


def _erase_app(guide: Guide, target: Target, found: Found) -> None:
    with admin(guide) as app:
        _same(found, app)
        with touched(guide, f"your touch: it erases {target.title}", safe=ERASE.safe) as on_touch:
            app.reset_app(target.word, on_touch)


def _whole(guide: Guide, target: Target, found: Found) -> Outcome:
    with guide.expect(found.product.mode_of_app(), what="the key, erased") as back:
        guide.step(ERASE, _erase_all, guide, found)
        came = guide.step(
            RESTART, lambda: back.wait(limit=BACK, usual=10.0, safe=RESTART.safe), found=_came
        )
    if came is None:
        return _not_done("It took the reset and did not come back in time.")
    now = guide.step(READ_BACK, identify, guide, found=lambda now: now.sentence)
    with guide.hid() as line:
        after = full_face(Ctap(line))
    left = {app: leftover.look(guide, app, after=True) for app in INSIDE[found.product.short]}
    told = [f"{app}: {one.sentence if one else 'not read back'}" for app, one in left.items()]
    proof = (f"now: {now.sentence}", f"FIDO2: {after.sentence}", *told)
    trouble = now.status.sentences if now.status else ()
    held = any(one is not None and not one.empty for one in left.values())
    if now.uuid != found.uuid or after.has_pin or trouble or held:
        sentence = "It came back, and does not say that all is erased and well."
        return Outcome(Verdict.UNFINISHED, sentence, "Run check.", (*proof, *trouble))
    unread = [app for app, one in left.items() if one is None]
    return Outcome(
        Verdict.REPAIRED,
        f"{target.title.capitalize()} is reset and started anew; read back: no FIDO2 PIN is set"
        + "".join(f", nothing in {app}" for app, one in left.items() if one)
        + (f"; NOT read back: {', '.join(unread)}." if unread else "."),
        "",
        proof,
    )


def _erase_all(guide: Guide, found: Found) -> None:
    with admin(guide) as app:
        _same(found, app)
        with touched(guide, "your touch: it erases the whole key", safe=ERASE.safe) as on_touch:
            app.factory_reset(on_touch)


def _same(found: Found, app: Admin) -> None:
    uuid = app.uuid()
    if uuid != found.uuid:
        raise GateClosed(
            f"This is another key: its id ends in {uuid[-4:]}, ours in {found.uuid[-4:]}.",
            "Nothing was erased. Pull it and run again on the one that you mean.",
        )


def _not_done(sentence: str) -> Outcome:
    return Outcome(Verdict.UNFINISHED, sentence, "Plug it in and run check, then reset again.")


RESET = Flow(
    name="reset",
    title="Reset FIDO2, an application, or all of it",
    about="FIDO2: armed first, then pulled, plugged in and touched within 10 s. One application "
    "or the whole key: by its admin app, with a touch.",
    plan=(IDENTIFY, ARMED, ERASE, RESTART, READ_BACK),
    perform=reset,
    questions=(APPS, CONFIRM),
    ready=("The customer's word that what is erased may be erased.",),
    hands="pull, plug in and touch, as it says",
    keeps="What is not named as erased.",
)
