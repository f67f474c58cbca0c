"""Simulated SmartCard-HSMs as they are plugged in: a USB stick with the card built in.

The rule: it is made from published facts and knows nothing of our client. PIN, SO-PIN and DKEK
of every practice device are the same, made up, and written here for whoever practises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec

from console.families.smartcardhsm import simulator_blob as blob
from console.families.smartcardhsm import simulator_cvc as cvc
from console.families.smartcardhsm import simulator_files as files
from console.families.smartcardhsm import simulator_keys as keys
from console.families.smartcardhsm.simulator_card import HsmCard
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_rows import (
    HSM_2_6,
    HSM_3_1,
    HSM_3_4,
    RESET_ALLOWED,
    Firmware,
)
from console.hardware.simulated import Away, Hang, Pause, Scenario, SimulatedUsb, Unit
from console.hardware.simulated_card import Slot
from console.hardware.simulated_ccid import EXTENDED, Ccid
from console.hardware.simulated_composite import Composite, Identity

VID, PID = 0x20A0, 0x4230
MANNERS = replace(EXTENDED, features=0x000404BA, clock=3600, rate=9677)
"""As the stick's reader describes itself, but for the level: the real one exchanges T=1 blocks."""
UPDATE = 0xD7


class HsmStick(Composite):
    """A Nitrokey HSM: its reader and its card are plugged in and pulled out together."""

    def __init__(self, pause: Pause, card: HsmCard) -> None:
        self.card = card
        shown = f"{card.applet.serial}0000"
        who = Identity(VID, PID, maker="Nitrokey", product="Nitrokey HSM", serial=shown.ljust(24))
        slot = Slot(f"Nitrokey Nitrokey HSM ({who.serial}) 00 00", card)
        super().__init__(who, (Ccid(pause, slot, manners=MANNERS),))

    def receive(self, endpoint: int, length: int) -> bytes | None:
        told = super().receive(endpoint, length)
        if self.card.pulled:
            self.away = Away(None)
            raise Hang
        return told


# --- what practice devices hold -----------------------------------------------------------

PIN, SO_PIN = b"648219", bytes.fromhex("3537363231383830")
SHARE = bytes.fromhex("0db79208aed5a149739f46e85505ae97b313953280191e96c3d0af36890a4e87")
"""The one share of the practice DKEK: a throw-away, also in a share file among the test data."""
OTHER_SHARE = bytes.fromhex("5b" * blob.SHARE)
SIGN_AND_WRAP = bytes((0x73, keys.WRAP))
"""An algorithm list as an operator ticks it: ECDSA with SHA-256, and WRAP."""


def initialised(card: HsmCard, share: bytes | None = SHARE) -> HsmCard:
    """As its owner set it up: PIN, SO-PIN, one share, which is imported."""
    card.applet.pins.set(PIN, SO_PIN, 3, RESET_ALLOWED)
    card.applet.files.put(files.TOKEN_INFO, files.label("SmartCard-HSM", card.applet.serial))
    if share is not None:
        domain = blob.Domain(1, 1)
        domain.add(share)
        card.applet.domains = [domain]
    return card


def with_key(
    card: HsmCard,
    number: int,
    name: str,
    *,
    rsa_bits: int = 0,
    algorithms: bytes = b"",
    described: bool = True,
) -> HsmCard:
    """A key pair made on the card; undescribed, as an UNWRAP leaves it that nothing followed."""
    private: keys.Private = (
        keys.make_rsa(rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
    )
    key = keys.Key(private, algorithms)
    card.applet.keys[number] = key
    card.applet.files.put(files.KEYS << 8 | number, b"")
    if not described:
        return card
    about = files.description(name, number, key.rsa_bits, 0 if key.rsa_bits else 256)
    card.applet.files.put(files.DESCRIPTIONS << 8 | number, about)
    owner = cvc.holder(card.applet.serial).encode()
    device = cvc.device_key(card.applet.serial)
    signed = cvc.request(private, b"UTCA00001", owner, owner, device)
    card.applet.files.put(files.CERTIFICATES << 8 | number, signed)
    return card


def _unit(port: str, make: Callable[[], HsmCard], *, plugged: bool = True) -> Unit:
    """A stick in a port, around the card that `make` makes when the bench starts."""

    def plug(pause: Pause) -> SimulatedUsb:
        return HsmStick(pause, make())

    return Unit(port, plug, plugged)


# --- scenarios ----------------------------------------------------------------------------


def _made(firmware: Firmware, serial: str, faults: tuple[Fault, ...] = ()) -> HsmCard:
    old = firmware.major < 3
    issuer = cvc.EXPIRED_ISSUER if old else cvc.ISSUER
    return HsmCard(firmware, serial, seed=int(serial[-4:]), issuer=issuer, faults=faults)


def _healthy() -> HsmCard:
    card = initialised(_made(HSM_3_4, "DENK0102417"))
    with_key(card, 1, "web server", rsa_bits=2048)
    return with_key(card, 2, "code signing")


def _with_lists() -> HsmCard:
    card = initialised(_made(HSM_3_1, "DENK0100853"))
    with_key(card, 1, "mail gateway")
    return with_key(card, 2, "document signing", algorithms=SIGN_AND_WRAP)


def _empty(firmware: Firmware, serial: str) -> Callable[[], HsmCard]:
    return lambda: initialised(_made(firmware, serial))


def _other_dkek() -> HsmCard:
    return initialised(_made(HSM_3_4, "DENK0103118"), OTHER_SHARE)


def _half_restored() -> HsmCard:
    card = initialised(_made(HSM_3_4, "DENK0103662"))
    with_key(card, 1, "web server")
    return with_key(card, 2, "", described=False)


def _slips() -> HsmCard:
    """The cable slips when the first description is about to be written, once."""
    slip = Fault(UPDATE, Outcome.PULLED, p1=files.DESCRIPTIONS)
    return initialised(_made(HSM_3_4, "DENK0103905", (slip,)))


SCENARIOS = (
    Scenario(
        "hsm-healthy",
        "A Nitrokey HSM 2 with two keys and nothing wrong with it; a second one, never used.",
        (_unit("1-1", _healthy), _unit("1-2", lambda: _made(HSM_3_4, "DENK0102418"))),
    ),
    Scenario(
        "case-2",
        "A Nitrokey HSM 2 with keys, and a second one that will not take back all of them.",
        (
            _unit("1-1", _with_lists),
            _unit("1-2", _empty(HSM_3_1, "DENK0100854")),
            _unit("1-3", _empty(HSM_2_6, "DENK0100902"), plugged=False),
            _unit("1-4", _empty(HSM_3_4, "DENK0104377"), plugged=False),
        ),
    ),
    Scenario(
        "hsm-wrong-dkek",
        "A Nitrokey HSM 2 that was given the shares of another set than the backup's.",
        (_unit("1-1", _healthy), _unit("1-2", _other_dkek)),
    ),
    Scenario(
        "hsm-half-restored",
        "A Nitrokey HSM 2 whose restore was interrupted: a key is in it that no program shows.",
        (_unit("1-1", _half_restored),),
    ),
    Scenario(
        "hsm-slips",
        "A Nitrokey HSM 2, empty, whose cable slips in the middle of the restore, once.",
        (_unit("1-1", _healthy), _unit("1-2", _slips)),
    ),
)
