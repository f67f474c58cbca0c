"""What one application of the key still holds, asked of the application itself after its reset.

The rule: reading only, nothing that needs a PIN, a touch or a try; what cannot be asked here is
not known, and that is said. Accounts are listed only where a reset should have left none.
Sources: OpenPGP card 3.4.1, 4.4.1; trussed-secrets-app; NIST SP 800-73-4, part 2, 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from console.errors import DeviceError, Garbled, Refused
from console.families.nitrokey3.ctaphid import Ctap
from console.guide import Guide
from console.protocols import tlv
from console.protocols.apdu import Command, Exchange

OPENPGP = bytes.fromhex("D27600012401")
SECRETS = bytes.fromhex("A0000005272101")
PIV = bytes.fromhex("A000000308")
SECRETS_CHANNEL = 0x70
"""The CTAPHID vendor command of the secrets app; its answers begin with the status word."""
SELECT, GET_DATA, PIV_GET_DATA, VERIFY, LIST, REST = 0xA4, 0xCA, 0xCB, 0x20, 0xA1, 0xA5
APPLICATION, DISCRETIONARY, PIN_STATUS, FINGERPRINTS = 0x6E, 0x73, 0xC4, 0xC5
VERSION, SALT, PIN_COUNTER, ACCOUNT = 0x79, 0x71, 0x82, 0x72
PIV_PIN, CHUID, GUID = 0x80, "5FC102", 0x34
CERTIFICATES = ("5FC105", "5FC10A", "5FC10B", "5FC101")
NOTHING_THERE = ("6A82", "6A88")
MOST = 65536
"""Bytes after which an answer that never ends is none."""
FULL_TRIES = 3
"""Of the user PIN and the admin PIN of a card that was just reset (opcard)."""


@dataclass(frozen=True)
class Leftover:
    """What an application said of itself. `empty` says that nothing of an owner's is in it.

    `mark` is something that it draws anew whenever it begins from nothing; "" where it has none.
    """

    sentence: str
    empty: bool
    mark: str = ""


def look(guide: Guide, app: str, after: bool) -> Leftover | None:
    """What "opcard", "secrets" or "piv" holds; None where it cannot be asked here.

    `after` says that it was reset: only then what may name accounts is asked for.
    """
    try:
        match app:
            case "opcard":
                return _on_card(guide, _openpgp)
            case "piv":
                return _on_card(guide, _piv)
            case _:
                return _secrets(guide, after)
    except DeviceError as error:
        guide.tell(f"What is in it could not be asked. {error.sentence}")
        return None


def _on_card(guide: Guide, ask: Callable[[Exchange], Leftover]) -> Leftover | None:
    if not guide.device.cards:
        return None
    with guide.card() as line, line.transaction():
        return ask(Exchange(line))


def _select(card: Exchange, aid: bytes) -> bytes:
    return card.demand(Command(0, SELECT, 4, 0, aid, 256), "to open the application")


# --- the OpenPGP card -------------------------------------------------------------------------


def _openpgp(card: Exchange) -> Leftover:
    _select(card, OPENPGP)
    told = card.demand(Command(0, GET_DATA, 0, APPLICATION, expected=256), "to say what it holds")
    inside = tlv.find(tlv.bare(APPLICATION, told), DISCRETIONARY) or b""
    prints, status = tlv.find(inside, FINGERPRINTS), tlv.find(inside, PIN_STATUS)
    if not prints or status is None or len(status) < 7:
        raise Garbled("The OpenPGP card did not say which keys it holds.")
    keys = sum(any(prints[at : at + 20]) for at in range(0, len(prints), 20))
    user, admin = status[4], status[6]
    full = (user, admin) == (FULL_TRIES, FULL_TRIES)
    held = f"{keys} keys" if keys else "no keys"
    sentence = f"it holds {held}; tries left: user PIN {user}, admin PIN {admin}"
    return Leftover(sentence, not keys and full)


# --- the secrets app --------------------------------------------------------------------------


def _secrets(guide: Guide, after: bool) -> Leftover | None:
    if any(node.kind == "hidraw" for node in guide.device.nodes):
        with guide.hid() as line:
            ctap = Ctap(line)
            try:
                return _accounts(lambda command: _by_channel(ctap, command), after)
            except Refused as error:
                if error.code != "01":  # older firmware has no such channel: its card is asked
                    raise
    return _on_card(guide, lambda card: _accounts(lambda c: _by_card(card, c), after))


def _accounts(ask: Callable[[Command], bytes], after: bool) -> Leftover:
    told = _fields(ask(Command(0, SELECT, 4, 0, SECRETS, 256)))
    pin = "a PIN is set" if PIN_COUNTER in told else "no PIN is set"
    mark = told.get(SALT, [b""])[0].hex()
    if not after:
        return Leftover(pin, PIN_COUNTER not in told, mark)
    held = len(_fields(ask(Command(0, LIST, 0, 0, expected=256))).get(ACCOUNT, ()))
    sentence = f"it lists {f'{held} entries' if held else 'no entry'}, and {pin}"
    return Leftover(sentence, not held and PIN_COUNTER not in told, mark)


def _by_channel(ctap: Ctap, command: Command) -> bytes:
    answer = ctap.call(SECRETS_CHANNEL, replace(command, expected=0).short())
    found = answer[2:]
    while answer[:1] == b"\x61" and len(found) < MOST:  # its own way to fetch a long answer's rest
        answer = ctap.call(SECRETS_CHANNEL, Command(0, REST, 0, 0).short())
        found += answer[2:]
    return _nine_thousand(answer[:2], found)


def _by_card(card: Exchange, command: Command) -> bytes:
    said = card.send(command)
    return _nine_thousand(said.status.to_bytes(2, "big"), said.data)


def _nine_thousand(status: bytes, data: bytes) -> bytes:
    if status != b"\x90\x00":
        code = status.hex().upper()
        raise Refused(f"The secrets app does not tell (status {code}).", code=code)
    return data


def _fields(data: bytes) -> dict[int, list[bytes]]:
    """Its objects: one byte of tag, one of length (no BER: a length may exceed 127)."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at + 2 <= len(data):
        tag, size = data[at : at + 2]
        if at + 2 + size > len(data):
            raise Garbled("The secrets app's answer is cut off.")
        found.setdefault(tag, []).append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return found


# --- PIV --------------------------------------------------------------------------------------


def _piv(card: Exchange) -> Leftover:
    _select(card, PIV)
    held = sum(_piv_object(card, name) is not None for name in CERTIFICATES)
    chuid = _piv_object(card, CHUID)
    guid = (tlv.find(chuid, 0x53, GUID) or b"").hex() if chuid else ""
    status = card.send(Command(0, VERIFY, 0, PIV_PIN)).status
    tries = f"{status & 0xF} tries left" if status >> 4 == 0x63C else "its tries are not told"
    certificates = f"{held} certificates" if held else "no certificate"
    sentence = f"it holds {certificates}; PIN: {tries}"
    return Leftover(sentence, not held, guid)


def _piv_object(card: Exchange, name: str) -> bytes | None:
    wanted = tlv.encode(0x5C, bytes.fromhex(name))
    said = card.send(Command(0, PIV_GET_DATA, 0x3F, 0xFF, wanted, 256))
    if said.code in NOTHING_THERE:
        return None
    if not said.ok:
        raise card.refused(said, "to show a certificate")
    return said.data
