"""The practice scenarios of OpenPGP cards: sticks with such a card in them, and their histories.

The rule: what a card has been through it went through over its own wire: its state is what the
commands of a host, or half of them, have left.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from console.families.openpgp.simulator_card import OpenPgpCard
from console.families.openpgp.simulator_faults import Fault, Kind
from console.families.openpgp.simulator_rows import GNUK, ZEITCONTROL_3_3
from console.hardware.simulated import Away, Pause, Scenario, SimulatedUsb, Unit
from console.hardware.simulated_card import exchange
from console.hardware.simulated_ccid import GNUK as GNUK_MANNERS
from console.hardware.simulated_ccid import CcidReader, Manners
from console.hardware.simulated_composite import Identity
from console.protocols import tlv

SELECT = "00a4040006d27600012401"
ADMIN = "00200083083132333435363738"
WRONG_USER = "0020008106303030303030"
WRONG_ADMIN = "00200083083030303030303030"
TERMINATE = "00e60000"
GENERATE = "0047800002b60000"
RESET_CODE = "87654321"
CREATED = 1_550_000_000
"""When the keys were made that these cards have: February 2019."""
LONG_AGO = 3600.0

CASE_4 = Fault(Kind.SLOW, 0x47, 0x8000, times=1_000_000, seconds=105.0)
NITROKEY_MANNERS = Manners(
    features=0x000404BA, clock=3600, rate=9677, multiplier=100, more_time_every=1.0
)
"""As its firmware says, but for whole extended APDUs, where the stick leaves T=1 to the host."""


class Stick(CcidReader):
    """A USB stick with its card inside for good: pulled, both go."""

    card: OpenPgpCard

    def send(self, endpoint: int, data: bytes) -> None:
        super().send(endpoint, data)
        self._notice_pull()

    def receive(self, endpoint: int, length: int) -> bytes | None:
        message = super().receive(endpoint, length)
        self._notice_pull()
        return message

    def press(self, buttons: str) -> None:
        self.card.press(buttons)

    def _notice_pull(self) -> None:
        if self.card.gone:
            self.away = Away(None)


def nitrokey(pause: Pause, card: OpenPgpCard, product: str = "Nitrokey Pro") -> Stick:
    """A Nitrokey Pro (4108) or Storage (4109); its USB serial is the card's."""
    pid = 0x4109 if product.endswith("Storage") else 0x4108
    serial = card.memory.serial.hex().upper().rjust(24, "0")
    who = Identity(0x20A0, pid, 0x0101, "Nitrokey", product, serial)
    name = f"Nitrokey {product} ({serial}) 00 00"
    return Stick(pause, card, who, reader=name, manners=NITROKEY_MANNERS)


def start(pause: Pause, card: OpenPgpCard) -> Stick:
    """A Nitrokey Start: its processor is the card."""
    serial = f"FSIJ-1.2.19-{card.memory.serial.hex().upper()}"
    who = Identity(0x20A0, 0x4211, 0x0200, "Nitrokey", "Nitrokey Start", serial)
    name = f"Nitrokey Nitrokey Start ({serial}) 00 00"
    return Stick(pause, card, who, reader=name, manners=GNUK_MANNERS)


# --- what the cards went through ----------------------------------------------------------


def lived(card: OpenPgpCard, *commands: str) -> bytes:
    """The answer to the last of these; then its power went."""
    answer = b""
    for command in (SELECT, *commands):
        answer = exchange(card, bytes.fromhex(command), _no_time, LONG_AGO) or b""
        while answer[-2:-1] == b"\x61":
            rest = exchange(card, bytes.fromhex("00c0000000"), _no_time, LONG_AGO) or b""
            answer = answer[:-2] + rest
    card.reset()
    return answer


def _no_time(seconds: float) -> None:
    """It was long ago."""


def with_key(card: OpenPgpCard) -> OpenPgpCard:
    """A signing key that a host made on it, and wrote time and fingerprint of."""
    public = lived(card, ADMIN, GENERATE)[:-2]
    created = CREATED.to_bytes(4, "big")
    lived(card, ADMIN, f"00da00ce04{created.hex()}", f"00da00c714{_print(public, created)}")
    return card


def _print(public: bytes, created: bytes) -> str:
    """The version 4 fingerprint of an RSA key, as a host computes it (RFC 4880, 12.2)."""
    numbers = (tlv.find(public, 0x7F49, tag) or b"" for tag in (0x81, 0x82))
    body = b"\x04" + created + b"\x01" + b"".join(_mpi(number) for number in numbers)
    digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - it is what that version is made with
    digest.update(b"\x99" + len(body).to_bytes(2, "big") + body)
    return digest.finalize().hex()


def _mpi(number: bytes) -> bytes:
    return int.from_bytes(number, "big").bit_length().to_bytes(2, "big") + number


def blocked(card: OpenPgpCard) -> OpenPgpCard:
    """Somebody tried until neither PIN had a try left."""
    lived(card, *[WRONG_USER] * 3, *[WRONG_ADMIN] * 3)
    return card


# --- scenarios ----------------------------------------------------------------------------


def _case_4(pause: Pause) -> SimulatedUsb:
    card = OpenPgpCard(ZEITCONTROL_3_3, bytes.fromhex("00006fda"), faults=(CASE_4,))
    return nitrokey(pause, card)


def _blocked(pause: Pause) -> SimulatedUsb:
    card = with_key(OpenPgpCard(GNUK, bytes.fromhex("43211507")))
    # Once PW3 was set, its own counter decides; before, a Gnuk's PW1 is both.
    lived(card, "0024008310" + "3132333435363738" + "3837363534333231")
    return start(pause, blocked(card))


def _terminated(pause: Pause) -> SimulatedUsb:
    card = OpenPgpCard(ZEITCONTROL_3_3, bytes.fromhex("00005b1c"))
    lived(blocked(with_key(card)), TERMINATE)
    return nitrokey(pause, card, "Nitrokey Storage")


def _orphan(pause: Pause) -> SimulatedUsb:
    card = OpenPgpCard(ZEITCONTROL_3_3, bytes.fromhex("00007a33"))
    lived(card, ADMIN, GENERATE)
    return nitrokey(pause, card)


def _reset_code(pause: Pause) -> SimulatedUsb:
    card = with_key(OpenPgpCard(ZEITCONTROL_3_3, bytes.fromhex("00008c15")))
    lived(card, ADMIN, f"00da00d308{RESET_CODE.encode().hex()}")
    lived(card, *[WRONG_USER] * 3)
    return nitrokey(pause, card)


SCENARIOS = (
    Scenario(
        "case-4",
        "A Nitrokey Pro 2 with nothing wrong but an impatient host: a key takes its card 105 s.",
        (Unit("1-1", _case_4),),
        gpg="2.0.22",
    ),
    Scenario(
        "openpgp-blocked",
        "A Nitrokey Start whose user and admin PINs are both blocked; its key is still there.",
        (Unit("1-1", _blocked),),
    ),
    Scenario(
        "openpgp-terminated",
        "A Nitrokey Storage 2 whose factory reset stopped half-way: its card is terminated.",
        (Unit("1-1", _terminated),),
    ),
    Scenario(
        "openpgp-orphan",
        "A Nitrokey Pro 2 with a key that has no fingerprint: the host died right after making it.",
        (Unit("1-1", _orphan),),
    ),
    Scenario(
        "openpgp-reset-code",
        f"A Nitrokey Pro 2 whose user PIN is blocked; its reset code is {RESET_CODE}.",
        (Unit("1-1", _reset_code),),
    ),
)
