"""What rekey and restore share once the PINs are given: a key into a slot, named, and proven.

The rule: each part is done from what the card answers afterwards: the key is read back, the
fingerprint is read back, and the private half is used once and checked on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from console.errors import Garbled, GateClosed, RecordError, Refused
from console.events import Damage
from console.families.openpgp import certificate
from console.families.openpgp.algorithms import Algorithm, Kind
from console.families.openpgp.approach import touched
from console.families.openpgp.client import Seen, Session
from console.families.openpgp.condition import State, state
from console.families.openpgp.kdf import Pin
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import Dated
from console.families.openpgp.pins import DEFAULT_USER, USER
from console.families.openpgp.products import Traits
from console.families.openpgp.proof import prove, to_sign, verifies, wrong
from console.families.openpgp.publickey import PublicKey
from console.flow import Step
from console.guide import Guide

T = TypeVar("T")

LOCKED = "6982"
NOT_SO = ("6700", "6A80", "6A81", "6A86", "6A88", "6B00")
"""What cards answer to attributes that they do not have, or not in this form."""
SAFE = "Keys are being written. If it is pulled, the slot in work may be lost; run this again."
PROVE = Step(
    "prove",
    "Use each key once and check it here",
    "under 20 s",
    undoable=False,
    damage=Damage.WRITTEN,
    safe="The keys are in and named. Pulling it now costs the proof only.",
)
EXPORT = Step(
    "export",
    "Hand over the public keys",
    usual="under 20 s",
    safe="The keys are in and proven. Pulling it now costs the certificate only.",
)


@dataclass
class UserPin:
    """Which user PIN holds: the one given, until a key that is written to a Gnuk resets it."""

    given: str = field(repr=False)
    was_reset: bool = False
    works: str = field(default="", repr=False)
    """The one that the card took last; "" until one was tried."""

    @property
    def likely(self) -> str:
        return self.works or (DEFAULT_USER if self.was_reset else self.given)

    def reset(self) -> None:
        self.was_reset, self.works = True, ""


@dataclass(frozen=True)
class Hands:
    """What works on the card: its session, what was seen of it before, and the PINs given."""

    guide: Guide
    session: Session
    traits: Traits
    admin_pin: str = field(repr=False)
    pin: UserPin

    @property
    def before(self) -> Seen:
        return self.traits.seen

    def write_key(self, work: Callable[[], None]) -> None:
        """Make or import a key; on a Gnuk its user PIN is the default one from then on."""
        if self.traits.is_gnuk:
            self.pin.reset()
        self.as_admin(work)

    def as_admin(self, work: Callable[[], T]) -> T:
        """Work that wants the admin PIN, which some cards forget on the way."""
        try:
            return work()
        except Refused as error:
            if error.code != LOCKED:
                raise
        self.give(Pin.ADMIN, self.admin_pin)
        return work()

    def give(self, whose: Pin, pin: str) -> None:
        """A PIN that was right before. Raises Refused."""
        tried = self.session.verify(whose, pin)
        if not tried.taken:
            what = f"the PIN that it took before (tries left: {tried.pins.words})"
            raise self.session.exchange.refused(tried.response, what)

    def set_algorithm(self, slot: Slot, wanted: Algorithm) -> None:
        """Set the slot to an algorithm, unless it is; then read what it is set to.

        Raises GateClosed (the card has no such algorithm: the slot is as it was), Garbled, Refused.
        """
        if wanted == self.before.algorithm(slot):
            return
        if not any(self._set(slot, wanted, raw) for raw in self._attributes(slot, wanted)):
            raise GateClosed(
                f"The card has no {wanted.word} for its {slot.title} slot.",
                "The slot is as it was. Choose another algorithm.",
            )
        if wanted != self._now(slot):
            raise Garbled(f"The card took {wanted.word} for its {slot.title} key and has another.")

    def _set(self, slot: Slot, wanted: Algorithm, raw: bytes) -> bool:
        """Did the card take the attributes in this form? Raises Refused (it was not the form)."""
        try:
            self.as_admin(lambda: self.session.set_algorithm(slot, raw))
        except Refused as error:
            if error.code in NOT_SO:
                return False
            # An error after it was written is none; what is there now decides.
            if wanted != self._now(slot):
                raise
        return True

    def _attributes(self, slot: Slot, wanted: Algorithm) -> tuple[bytes, ...]:
        """As the card itself writes them, where it says, then as the specification does."""
        told = [o.raw for o in self.before.offered.get(slot, ()) if wanted == o.algorithm]
        now = self.before.algorithm(slot)
        if wanted.kind is Kind.RSA and now is not None and now.kind is Kind.RSA:
            wanted = Algorithm(Kind.RSA, wanted.bits, now.exponent, now.form)
        return tuple(dict.fromkeys((*told, wanted.attributes())))

    def _now(self, slot: Slot) -> Algorithm | None:
        return self._look().algorithm(slot)

    def _look(self) -> Seen:
        return Seen(self.session.application(), self.session.kdf, (None, None, None), {})

    def attributes(self, slot: Slot) -> bytes:
        """The slot's attributes, read now."""
        return self._look().data.attributes[slot.place]

    def key_now(self, slot: Slot) -> PublicKey | None:
        """The key in the slot, read now."""
        return self.session.public_key(slot, self.attributes(slot))

    def name(self, slot: Slot, key: Dated) -> Dated:
        """Write time and fingerprint, and read them back. Raises Garbled."""
        self.as_admin(lambda: self.session.name_key(slot, key.fingerprint, key.created))
        data = self._look().data
        kept = data.fingerprints[slot.place], data.times[slot.place]
        if kept != (key.fingerprint, key.created):
            raise Garbled(f"The card did not keep the fingerprint of its {slot.title} key.")
        return key


def may_hold(traits: Traits, slot: Slot, wanted: Algorithm) -> bool:
    """Does the card offer the algorithm for the slot? One that does not say is asked later."""
    offered = traits.seen.offered.get(slot, ())
    if offered:
        return any(wanted == known.algorithm for known in offered)
    if wanted == traits.seen.algorithm(slot):
        return True
    return traits.seen.data.capabilities.changeable and traits.may_know(wanted)


def must_write(traits: Traits) -> None:
    """Raises GateClosed where the admin PIN is blocked."""
    if not traits.seen.pins.admin:
        raise GateClosed(
            "The admin PIN is blocked: no key can be written. Nothing was changed.",
            "Only a reset helps. What the user PIN unlocks still works until then.",
        )


def pins_said(guide: Guide, traits: Traits, writes: bool) -> None:
    """What writing a key does to the PINs, said beforehand; nothing, where none is written."""
    if traits.is_gnuk and writes:
        guide.tell(
            f"It is a Gnuk: with each key that is written, its user PIN is {DEFAULT_USER} again "
            "and its reset code is gone.",
            f"The proof uses {DEFAULT_USER}. The customer has to change it afterwards.",
        )


# --- afterwards --------------------------------------------------------------------------------


def prove_all(hands: Hands, keys: dict[Slot, Dated]) -> tuple[str, ...]:
    """Each key used once. Raises BeyondRepair, Refused."""
    return tuple(f"The {slot.title} key {_proven(hands, slot, keys[slot])}." for slot in keys)


def _proven(hands: Hands, slot: Slot, key: Dated) -> str:
    give_user_pin(hands, Pin.SIGN if slot is Slot.SIGN else Pin.USE)
    with touched(hands.guide, hands.before, slot):
        return prove(hands.session, slot, key.public)


def give_user_pin(hands: Hands, whose: Pin) -> None:
    """The user PIN that holds now; on a Gnuk that got a key, that is the default one.

    Raises Refused.
    """
    pin, given = hands.pin.likely, hands.pin.given
    tried = hands.session.verify(whose, pin)
    if not tried.taken:
        left = USER.left(tried.pins)
        if pin == given or left < 2:
            what = f"the user PIN ({left} tries left)"
            raise hands.session.exchange.refused(tried.response, what)
        hands.guide.tell(
            f"Its user PIN is not the default one, against what its kind does. {left} tries left.",
            "Now the one that you gave is tried.",
        )
        pin = given
        hands.give(whose, pin)
    hands.pin.works = pin


def hand_over(hands: Hands, keys: dict[Slot, Dated], user_id: str) -> tuple[str, ...]:
    """Keep the public keys as others want them; their names."""
    kept = [f"{slot.word}.pem" for slot in keys]
    for slot, key in keys.items():
        about = f"The public {slot.title} key (PEM)."
        hands.guide.keep(f"{slot.word}.pem", key.public.pem(), about)
    line = keys[Slot.AUTH].public.ssh() if Slot.AUTH in keys else b""
    if line:
        hands.guide.keep("auth.pub", line + b"\n", "The authentication key as SSH wants it.")
        kept.append("auth.pub")
    whole = _all_keys(hands, keys)
    if not certificate.judged(whole):
        lacks = "its signature slot has no named key"
        why = lacks if Slot.SIGN not in whole else "its curve cannot be judged here"
        hands.guide.tell(f"No OpenPGP certificate is made: {why}.", "gpg on the host makes one.")
        return tuple(kept)
    made = certificate.make(whole, user_id, hands.guide.now(), _signer(hands, whole[Slot.SIGN]))
    hands.guide.keep("certificate.asc", made, "The OpenPGP certificate, signed by the card.")
    return (*kept, "certificate.asc")


def _all_keys(hands: Hands, keys: dict[Slot, Dated]) -> dict[Slot, Dated]:
    """The keys of this run, and those that were sound before."""
    seen = hands.before
    old = {
        slot: _noted(seen, slot, key)
        for slot in Slot
        if (key := seen.key(slot)) is not None and state(seen, slot) is State.SOUND
    }
    both = old | keys
    return {slot: both[slot] for slot in Slot if slot in both}


def _noted(seen: Seen, slot: Slot, key: PublicKey) -> Dated:
    """A sound key, so that it keeps the fingerprint that the card has noted."""
    created = seen.data.times[slot.place]
    return Dated(key, created, key.kdf_of(seen.data.fingerprints[slot.place], created) or b"")


def _signer(hands: Hands, primary: Dated) -> Callable[[str, bytes], bytes]:
    def sign(name: str, digest: bytes) -> bytes:
        # A card whose PIN holds for one signature wants it again for each.
        give_user_pin(hands, Pin.SIGN)
        with touched(hands.guide, hands.before, Slot.SIGN):
            signature = hands.session.sign(to_sign(primary.public, name, digest))
        if not verifies(primary.public, name, digest, signature):
            raise wrong(Slot.SIGN)
        return signature

    return sign


def user_id_of(seen: Seen) -> str:
    """Whose certificate it is: the cardholder, or the card where it names nobody."""
    return seen.holder or f"OpenPGP card {seen.data.aid.serial}"


def export(hands: Hands, keys: dict[Slot, Dated]) -> str:
    """As hand_over(); what goes wrong here undoes nothing."""
    try:
        names = hand_over(hands, keys, user_id_of(hands.before))
    except (RecordError, Refused, Garbled) as error:
        hands.guide.warn(
            f"The keys are in and proven, but not all public keys were kept: {error.sentence}",
            "gpg --card-status and gpg on the host can make them again.",
        )
        return "not all"
    return ", ".join(names)


def fingerprint_words(keys: dict[Slot, Dated]) -> tuple[str, ...]:
    return tuple(
        f"{slot.title}: {key.public.words}, fingerprint {key.fingerprint.hex().upper()}."
        for slot, key in keys.items()
    )


def pins_to_do(hands: Hands) -> tuple[str, ...]:
    """What writing keys did to the PINs, as the card then took them."""
    if hands.pin.was_reset and hands.pin.works == DEFAULT_USER:
        return (f"The user PIN is {DEFAULT_USER} now: the customer has to change it.",)
    return ()
