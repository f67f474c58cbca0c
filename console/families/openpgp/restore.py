"""Keys of a backup, put back into their slots with their own time and fingerprint.

The rule: everything about the backup is known before the card changes: its passphrase is right, it
holds secrets, the card has their algorithms, their slots are named.
"""

from __future__ import annotations

from console.errors import BadUsage, Garbled, GateClosed
from console.events import Verdict
from console.families.openpgp import backup
from console.families.openpgp.algorithms import Algorithm, parse
from console.families.openpgp.approach import (
    ADMIN_PIN,
    CONFIRM_REPLACE,
    IDENTIFY,
    PIN,
    SLOTS,
    UNLOCK,
    one_way,
    opened,
    same_card,
    slots_of,
)
from console.families.openpgp.backup import Backup
from console.families.openpgp.condition import dies
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import Dated
from console.families.openpgp.pins import LAST_TRY
from console.families.openpgp.products import Traits
from console.families.openpgp.rekey import give_pins
from console.families.openpgp.secretkey import SecretKey
from console.families.openpgp.writing import (
    EXPORT,
    PROVE,
    SAFE,
    Hands,
    export,
    fingerprint_words,
    may_hold,
    must_write,
    pins_said,
    pins_to_do,
    prove_all,
)
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

BACKUP = Question(
    "backup",
    Kind.FILE,
    "The backup: an OpenPGP secret key, sk_*.gpg, or a PEM key?",
    of_the_unit=True,
)
PASSPHRASE = Question("passphrase", Kind.SECRET, "The passphrase of the backup?")
CREATED = Question(
    "created",
    Kind.TEXT,
    "When was this key made (2024-05-17T09:30:00Z, or seconds since 1970)?",
    of_the_unit=True,
)
OPEN = Step("open", "Open the backup and check it", usual="under 5 s")
WRITE = {
    slot: one_way(f"write-{slot.word}", f"Write the {slot.title} key", "under 10 s", SAFE)
    for slot in Slot
}


def restore(guide: Guide) -> Outcome:
    found = backup.read(guide.ask(BACKUP) or "")
    slots = slots_of(guide.ask(SLOTS))
    created = 0
    if found.wants_created:
        created = backup.moment(guide.ask(CREATED) or "", guide.now())
    with opened(guide) as patient:
        traits, session = patient.alive(), patient.session
        must_write(traits)
        keys = guide.step(OPEN, _open, guide, found, slots, created, traits, found=_words)
        _consent(guide, traits, keys)
        same_card(guide, session)
        with session.alone():
            hands = guide.step(UNLOCK, give_pins, guide, session, traits)
            put = {s: guide.step(WRITE[s], _write, hands, s, keys[s], found=_named) for s in keys}
            proven = guide.step(PROVE, prove_all, hands, put, found=" ".join)
            guide.step(EXPORT, export, hands, put, found=str)
    return Outcome(
        Verdict.REPAIRED,
        f"Keys put back on the card: {len(put)}. Each was used and checked here.",
        "They are the customer's old keys, with their old time and fingerprint.",
        proof=(*fingerprint_words(put), *proven),
        to_do=pins_to_do(hands),
    )


# --- before --------------------------------------------------------------------------------


def _open(
    guide: Guide, found: Backup, slots: tuple[Slot, ...], created: int, traits: Traits
) -> dict[Slot, SecretKey]:
    """The keys, once their passphrase is right. Raises BadUsage, GateClosed."""
    tried: set[str] = set()
    while True:
        passphrase = (guide.ask(PASSPHRASE) or "") if found.wants_passphrase else ""
        try:
            keys = found.keys(slots, passphrase, created, guide.now())
        except BadUsage as error:
            if "passphrase" not in error.sentence or passphrase in tried or not passphrase:
                raise
            tried.add(passphrase)
            guide.tell(error.sentence, "It costs nothing. Try again.")
            continue
        for words in found.left_out(keys.values(), guide.now()):
            guide.tell(f"Not taken from the backup: {words}.")
        _must_fit(traits, keys)
        _compare(guide, found, traits, keys)
        return keys


def _must_fit(traits: Traits, keys: dict[Slot, SecretKey]) -> None:
    if not traits.seen.data.capabilities.imports:
        raise GateClosed("This card takes no keys from outside.", "Make new ones: rekey.")
    for slot, key in keys.items():
        if not may_hold(traits, slot, key.public.algorithm):
            raise GateClosed(
                f"The card has no {key.public.words} for its {slot.title} slot.",
                "The key needs a card that has it. Nothing is written.",
            )


def _compare(guide: Guide, found: Backup, traits: Traits, keys: dict[Slot, SecretKey]) -> None:
    """Say where the backup is of another key than its file name, or the card, lets expect."""
    for slot, key in keys.items():
        if not key.fingerprint.endswith(found.key_id):
            guide.warn(
                f"The file is named after key {found.key_id.hex().upper()} and holds "
                f"{key.fingerprint.hex().upper()}.",
                "Make sure that it is this customer's backup. Nothing is written yet.",
            )
        old = traits.seen.data.fingerprints[slot.place]
        if any(old) and old != key.fingerprint:
            guide.tell(
                f"The card's {slot.title} slot is named after another key: {old.hex().upper()}.",
                "After this it is named after the key of the backup.",
            )


def _words(keys: dict[Slot, SecretKey]) -> str:
    return "; ".join(
        f"{slot.title}: {key.public.words}, {key.fingerprint.hex().upper()}"
        for slot, key in keys.items()
    )


def _consent(guide: Guide, traits: Traits, keys: dict[Slot, SecretKey]) -> None:
    others = tuple(slot for slot in keys if traits.seen.key(slot) != keys[slot].public)
    pins_said(guide, traits, bool(others))
    lost = dies(traits.seen, others)
    if lost:
        text = f"These keys die, for good: {'; '.join(lost)}. {CONFIRM_REPLACE.ask}"
        guide.ask(CONFIRM_REPLACE, text)


# --- the stretch that cannot be undone ------------------------------------------------------


def _write(hands: Hands, slot: Slot, key: SecretKey) -> Dated:
    """Import, read back, name. A key that is in already is only named."""
    if hands.key_now(slot) != key.public:
        hands.set_algorithm(slot, key.public.algorithm)
        attributes = _must_know(hands, slot)
        template = key.template(slot, attributes)
        hands.write_key(lambda: hands.session.put_key(slot, template))
    if hands.key_now(slot) != key.public:
        raise Garbled(
            f"The card took the {slot.title} key and shows another public key.",
            "Run check, then run restore again.",
        )
    return hands.name(slot, Dated(key.public, key.created, key.kdf))


def _must_know(hands: Hands, slot: Slot) -> Algorithm:
    found = parse(hands.attributes(slot))
    assert found is not None
    return found


def _named(key: Dated) -> str:
    return f"{key.public.words}, fingerprint {key.fingerprint.hex().upper()}"


RESTORE = Flow(
    name="restore",
    title="Put keys of a backup on the card",
    about="Opens an OpenPGP secret key (also gpg's own card backup, sk_*.gpg) or a PEM key, checks "
    "all of it, writes it into its slots with its own time and fingerprint, and proves it.",
    plan=(IDENTIFY, OPEN, UNLOCK, *WRITE.values(), PROVE, EXPORT),
    perform=restore,
    questions=(BACKUP, SLOTS, CREATED, PASSPHRASE, CONFIRM_REPLACE, ADMIN_PIN, PIN, LAST_TRY),
    ready=("The backup file and its passphrase.", "The admin PIN and the user PIN."),
    keeps="The public keys. The backup and its passphrase are kept nowhere.",
)
