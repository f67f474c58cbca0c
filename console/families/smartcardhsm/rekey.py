"""A new key pair on the device, its description and request beside it, proven by a signature.

The rule: done is said when a certification request verifies that the card signed with the new key.
No algorithm list is given unless asked for, and then what that costs on firmware 3.1 is said first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from console.errors import BadUsage, DeviceError, GateClosed
from console.events import Verdict
from console.families.smartcardhsm import contents, cvc, proof, request, twins
from console.families.smartcardhsm.approach import (
    IDENTIFY,
    LOOK,
    PIN,
    UNLOCK,
    Unit,
    look,
    opened,
    unlock,
)
from console.families.smartcardhsm.backup import numbers
from console.families.smartcardhsm.blob import KeyType, PublicKey
from console.families.smartcardhsm.client import (
    ABOUT,
    CERTIFICATE,
    EC_SHA256,
    KEY,
    PKCS1_SHA256,
    RAW_EC,
    RAW_RSA,
    WRAP,
)
from console.families.smartcardhsm.contents import Contents
from console.families.smartcardhsm.description import EC, RSA, Description
from console.families.smartcardhsm.models import TRAP
from console.flow import Flow, Kind, Outcome, Question, Step
from console.guide import Guide

LONGEST_LABEL = 60
ALGORITHM = Question(
    "algorithm", Kind.CHOICE, "Which kind of key pair?", choices=request.ALGORITHMS
)
LABEL = Question("label", Kind.TEXT, "A label for the key (shown by other programs)?")
NUMBER = Question(
    "keys",
    Kind.TEXT,
    "A number for the key on the device? Empty: the next free one.",
    optional=True,
)
LISTED = Question(
    "algorithm_list",
    Kind.CHOICE,
    "Restrict the key to signing and wrapping by an algorithm list? Firmware 3.1 can export such a "
    "key and never take it back. Empty: no.",
    optional=True,
    choices=("no", "yes"),
)
GENERATE = Step(
    "generate",
    "Make the key pair",
    usual="EC 2 s; RSA 2048 up to 1 min, 4096 up to 5 min or more",
    undoable=False,
    safe="What is on it stays. It may think for minutes: leave it plugged in.",
)
WRITE = Step(
    "write",
    "Write description and request",
    usual="under 2 s",
    undoable=False,
    safe="If it is pulled now, the key is there and other programs do not see it.",
)
PROVE = Step("prove", "Have it sign a request, and verify", usual="under 5 s", safe="It is there.")


@dataclass(frozen=True)
class Order:
    """The key that was asked for."""

    algorithm: str
    label: str
    number: int | None
    listed: bool

    @property
    def limits(self) -> bytes:
        """The algorithm list, if one was asked for: signing, and wrapping."""
        if not self.listed:
            return b""
        signing = (RAW_RSA, PKCS1_SHA256) if self.kind == RSA else (RAW_EC, EC_SHA256)
        return bytes((*signing, WRAP))

    @property
    def kind(self) -> str:
        return RSA if self.algorithm.startswith("rsa-") else EC


@dataclass(frozen=True)
class Made:
    """The new key's number and public half, and the request that the card made of it."""

    number: int
    key: PublicKey
    request: bytes = field(repr=False)


def rekey(guide: Guide) -> Outcome:
    order = _ask(guide)
    with opened(guide) as unit:
        held = look(guide, unit)
        number = _number(held, order)
        if order.listed:
            guide.warn(f"The key will have an algorithm list. {TRAP}")
        unlock(guide, unit)
        made = guide.step(GENERATE, _generate, unit, order, number, found=_found)
        guide.step(WRITE, _write, unit, order, made)
        pem = guide.step(PROVE, _prove, unit, order, made, found=lambda _: "it verifies")
    name = f"key-{number:02d}.csr.pem"
    guide.keep(name, pem, "The certification request of the new key, signed by it.")
    if made.request:
        cvreq = f"key-{number:02d}.cvreq"
        guide.keep(cvreq, made.request, "The request with the device's signature.")
    return Outcome(
        Verdict.REPAIRED,
        f'{unit.name} has the new key {number} "{order.label}" ({order.algorithm}), proven by a '
        "signature.",
        "It has no backup yet.",
        to_do=(f"Have {name} certified by the customer's authority.", "Run backup for the key."),
    )


def _ask(guide: Guide) -> Order:
    algorithm = guide.ask(ALGORITHM) or ""
    label = (guide.ask(LABEL) or "").strip()
    if not label or len(label.encode()) > LONGEST_LABEL:
        raise BadUsage(f"A label has 1 to {LONGEST_LABEL} bytes.", "Nothing was changed.")
    number = guide.ask(NUMBER)
    listed = guide.ask(LISTED) == "yes"
    return Order(algorithm, label, numbers(number)[0] if number else None, listed)


def _number(held: Contents, order: Order) -> int:
    if order.number is not None and order.number in held.taken:
        there = held.key(order.number)
        words = there.words if there else ""
        raise GateClosed(f"Number {order.number} is taken: {words}.", "Nothing was changed.")
    number = order.number or held.free()
    if number is None:
        raise GateClosed("Every key number of the device is taken.", "Nothing was changed.")
    return number


def _generate(unit: Unit, order: Order, number: int) -> Made:
    """The key pair; where the answer got lost, what the device lists decides."""
    holder = unit.chain.device.chr if unit.chain.device else f"KEY{number:05d}00001"
    data = request.order(order.algorithm, holder, order.limits)
    made, lost = b"", None
    try:
        made = unit.hsm.generate(number, data)
    except DeviceError as error:
        lost = error
    if KEY << 8 | number not in unit.hsm.files():
        raise lost or GateClosed(
            f"The device said that key {number} is made, and does not list it.",
            "What was on it is still there. Run check, then rekey again.",
        )
    # Newer firmware stores the request itself; what it stored is what others will see.
    stored = unit.hsm.read(CERTIFICATE << 8 | number)
    key = cvc.public_key_in(made) or (cvc.public_key_in(stored) if stored else None)
    if key is None and lost is not None:
        kind = KeyType.RSA if order.kind == RSA else KeyType.EC
        key = twins.public_half(unit.hsm, number, kind)
    if key is None:
        raise GateClosed(
            f"The device made key {number} and gave no request that can be read.",
            "Delete that key with its own tool, and export the log.",
        )
    return Made(number, key, made if cvc.public_key_in(made) else stored or b"")


def _found(made: Made) -> str:
    return f"key {made.number}, {made.key.key_size} bits"


def _write(unit: Unit, order: Order, made: Made) -> None:
    about = Description(order.kind, order.label, bytes((made.number,)), made.key.key_size)
    for kind, data in ((ABOUT, about.encode()), (CERTIFICATE, made.request)):
        if not data:
            continue  # its answer was lost, and its public half told in another way
        name = kind << 8 | made.number
        try:
            unit.hsm.write(name, data)
        except DeviceError:
            if (unit.hsm.read(name) or b"")[: len(data)] != data:
                raise


def _prove(unit: Unit, order: Order, made: Made) -> bytes:
    pem = request.pem(order.label, made.key, proof.signer(unit.hsm, made.number, made.key))
    seen = contents.read(unit.hsm).key(made.number)
    theirs = seen.public if seen and made.request else made.key
    if not request.proves(pem, made.key) or seen is None or theirs != made.key:
        raise GateClosed(
            f"The signature of the new key {made.number} does not verify.",
            "Do not use that key. Export the log.",
        )
    if seen.label != order.label:
        raise GateClosed(
            f"The description of key {made.number} did not read back as it was written.",
            "The key works; other programs may not see it. Run rekey for another one.",
        )
    return pem


REKEY = Flow(
    name="rekey",
    title="Make a new key pair on it",
    about="Makes an RSA or EC pair on the device, writes its description and request, and proves "
    "it by a signed certification request (PEM). What is on it stays.",
    plan=(IDENTIFY, LOOK, UNLOCK, GENERATE, WRITE, PROVE),
    perform=rekey,
    questions=(ALGORITHM, LABEL, NUMBER, LISTED, PIN),
    ready=("The user PIN.", "Time: RSA 4096 may take more than 5 minutes."),
    keeps="The certification request. The private key never leaves the device.",
)
