"""The HSM's desk: runs watched as whole processes, and what the practice hardware keeps of a card.

The rule: as tests/watched.py; which answers are secrets is said here.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.watched import Watched

SECRET = ("pin", "new_pin", "so_pin", "share_passwords", "second_pin")


class Desk(Watched):
    """Runs of this family's flows."""

    def run(self, flow: str, port: str, **answers: str) -> int:
        """The exit code of a run to its end."""
        secret = {name: value for name, value in answers.items() if name in SECRET}
        plain = {name: value for name, value in answers.items() if name not in SECRET}
        return self.perform(f"smartcardhsm.{flow}", port, plain, secret)

    def card(self, port: str) -> dict[str, Any]:
        """The state of the card in a port, as the practice hardware keeps it."""
        kept = json.loads((self.place.state.root / "practice.json").read_text())
        return _applet(kept["slots"][port])

    def private_numbers(self, port: str) -> list[bytes]:
        """Every private number of every key on that card."""
        numbers: list[int] = []
        for _, frozen in self.card(port)["keys"]:
            key = serialization.load_der_private_key(bytes.fromhex(frozen["key"]), None)
            if isinstance(key, rsa.RSAPrivateKey):
                numbers += [key.private_numbers().d, key.private_numbers().p]
            else:
                numbers.append(key.private_numbers().private_value)
        return [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers]


def _applet(kept: Any) -> dict[str, Any]:
    """Where in the device's state the card is, the device knows."""
    if isinstance(kept, dict) and "applet" in kept:
        return kept["applet"]
    inside = kept.values() if isinstance(kept, dict) else kept if isinstance(kept, list) else ()
    return next((found for one in inside if (found := _applet(one))), {})
