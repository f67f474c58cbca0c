"""The owner's applications of the firmware, as far as somebody looks into them: what is in there.

The rule: they tell what they hold and nothing else; nothing can be put in by these commands.
Behaviour as of Nitrokey's opcard, trussed-secrets-app and piv-authenticator.
"""

from __future__ import annotations

import hashlib

from console.families.nitrokey3.simulator_admin import Contents
from console.families.nitrokey3.simulator_rows import Personality
from console.hardware.simulated_command import Command, parse
from console.protocols import tlv

SECRETS_AID = bytes.fromhex("a0000005272101")
AIDS = {
    bytes.fromhex("d27600012401"): "opcard",
    SECRETS_AID: "secrets",
    bytes.fromhex("a000000308"): "piv",
}
SECRETS_CHANNEL = 0x70
"""Its CTAPHID vendor command: an APDU goes in, the status word comes before the data."""
SELECT, GET_DATA, PIV_GET_DATA, VERIFY, LIST = 0xA4, 0xCA, 0xCB, 0x20, 0xA1
READ_KEY, PUBLIC = 0x47, 0x8100
OK, NOT_FOUND, NO_DATA, UNKNOWN = b"\x90\x00", b"\x6a\x82", b"\x6a\x88", b"\x6d\x00"
PIV_CHUID = bytes.fromhex("5fc102")
PIV_CERTIFICATES = tuple(bytes.fromhex(f"5fc1{number}") for number in ("05", "0a", "0b", "01"))
OPENPGP_VERSION_AND_MAKER = bytes.fromhex("0304000f")
ACCOUNTS = (b"made-up.example:anna", b"bank.example:anna")


class OwnerApps:
    """select() and call() answer as ISO 7816 does: data, then the status word."""

    def __init__(self, who: Personality, uuid: bytes, contents: Contents) -> None:
        self._who = who
        self._uuid = uuid
        self.contents = contents

    def named(self, aid: bytes) -> str:
        """The application that a SELECT means; "" if it is not on this key."""
        found = (app for known, app in AIDS.items() if aid.startswith(known))
        return next((app for app in found if app in self._who.apps), "")

    def select(self, app: str) -> bytes:
        return (self._secrets_told() if app == "secrets" else b"") + OK

    def call(self, app: str, command: Command) -> bytes:
        """One command to the application that is selected."""
        instruction, tag, body = command.ins, command.parameters, command.data
        match app, instruction:
            case "opcard", x if x == GET_DATA:
                return self._openpgp(tag)
            case "opcard", x if x == READ_KEY and tag == PUBLIC:
                return self._public_key()
            case "secrets", x if x == LIST:
                return self._accounts(b"\0" if body[:1] == b"\1" else b"") + OK
            case "piv", x if x == PIV_GET_DATA:
                return self._piv(body)
            case "piv", x if x == VERIFY:
                return b"\x63" + bytes((0xC0 + (5 if self._used("piv") else 8),))
        return UNKNOWN

    def by_channel(self, apdu: bytes) -> bytes:
        """The secrets application behind CTAPHID: no SELECT is needed first."""
        command = parse(apdu)
        if command is None:
            return b"\x67\x00"
        selects = command.ins == SELECT
        answer = self.select("secrets") if selects else self.call("secrets", command)
        return answer[-2:] + answer[:-2]

    def _used(self, app: str) -> bool:
        return app in self.contents.used

    def _made(self, what: str, length: int) -> bytes:
        """Something that is drawn anew whenever an application begins from nothing."""
        seed = self._uuid + what.encode() + self.contents.wipes.to_bytes(4, "big")
        return hashlib.shake_256(seed).digest(length)

    def _secrets_told(self) -> bytes:
        pin = b"\x82\x01\x08" if self._used("secrets") else b""
        return b"\x79\x03\x04\x0d\x00" + b"\x71\x08" + self._made("salt", 8) + pin

    def _accounts(self, properties: bytes) -> bytes:
        """One object each; `properties` stand behind the name where they were asked for."""
        names = ACCOUNTS if self._used("secrets") else ()
        items = (b"\x21" + name + properties for name in names)
        return b"".join(bytes((0x72, len(item))) + item for item in items)

    def _openpgp(self, tag: int) -> bytes:
        used = self._used("opcard")
        aid = bytes.fromhex("d27600012401") + OPENPGP_VERSION_AND_MAKER + self._uuid[-4:] + b"\0\0"
        status = bytes((0, 127, 127, 127, 2 if used else 3, 0, 3))
        prints = self._made("keys", 60) if used else bytes(60)
        algorithms = [tlv.encode(0xC0 + at, b"\x01\x08\x00\x00\x20\x00") for at in (1, 2, 3)]
        private = tlv.encode(
            0x73,
            tlv.encode(0xC0, bytes.fromhex("3f001000100010000001")),
            *algorithms,
            tlv.encode(0xC4, status),
            tlv.encode(0xC5, prints),
            tlv.encode(0xC6, bytes(60)),
            tlv.encode(0xCD, bytes(12)),
        )
        history = tlv.encode(0x5F52, bytes.fromhex("0031f573c001e0059000"))
        told = {
            0x4F: aid,
            0x5F52: bytes.fromhex("0031f573c001e0059000"),
            0x6E: tlv.encode(0x6E, tlv.encode(0x4F, aid), history, private),
            0x7A: tlv.encode(0x7A, tlv.encode(0x93, bytes(3))),
            0xC4: status,
        }
        return told[tag] + OK if tag in told else NO_DATA

    def _public_key(self) -> bytes:
        if not self._used("opcard"):
            return NO_DATA
        modulus = b"\xc1" + self._made("modulus", 254) + b"\x01"
        return tlv.encode(0x7F49, tlv.encode(0x81, modulus), tlv.encode(0x82, b"\1\0\1")) + OK

    def _piv(self, body: bytes) -> bytes:
        wanted = tlv.find(body, 0x5C) or b""
        if wanted == PIV_CHUID:
            return tlv.encode(0x53, tlv.encode(0x34, self._made("guid", 16))) + OK
        if wanted in PIV_CERTIFICATES and self._used("piv"):
            return tlv.encode(0x53, tlv.encode(0x70, b"0" * 40)) + OK
        return NOT_FOUND
