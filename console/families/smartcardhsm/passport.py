"""The device passport: what tells a unit from every other, to compare before and after shipping.

The rule: pure; public facts only, as JSON with sorted keys, so that two passports of one unit in
one state are the same bytes. Who the unit is, and what state it was in, stand apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from console.errors import BadUsage
from console.families.smartcardhsm.chain import Chain
from console.families.smartcardhsm.client import Application, KeyShares
from console.families.smartcardhsm.contents import Contents

NAME = "device-passport.json"
FORM = "replug device passport, smartcardhsm, 1"
IDENTITY = ("serial", "certificate_holder", "device_certificate_sha256", "atr")
WORDS = {
    "serial": "serial",
    "certificate_holder": "certificate holder",
    "device_certificate_sha256": "device certificate",
    "atr": "answer to reset",
    "firmware": "firmware",
}


@dataclass(frozen=True)
class Passport:
    """The facts of one unit."""

    facts: dict[str, Any]

    @classmethod
    def of(
        cls,
        atr: str,
        told: Application,
        chain: Chain,
        domains: tuple[KeyShares, ...],
        held: Contents,
    ) -> Passport:
        shares = domains[0]
        device = chain.device
        return cls(
            {
                "form": FORM,
                "serial": chain.serial,
                "certificate_holder": device.chr if device else "",
                "device_certificate_sha256": chain.digest,
                "atr": atr,
                "firmware": str(told.version),
                "applet": told.version.applet,
                "options": told.options,
                "chain": chain.trust.value,
                "certificates": [known.raw.hex() for known in chain.certificates],
                "key_shares": shares.total,
                "key_check_value": shares.kcv.hex() if shares.ready else "",
                "key_domains": [one.kcv.hex() if one.ready else "" for one in domains[1:]],
                "keys": {str(key.number): key.label for key in held.present},
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Passport:
        """Raises BadUsage if it is none."""
        try:
            facts = json.loads(data)
            known = facts["form"] == FORM
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise BadUsage(
                "That file is no device passport of a SmartCard-HSM.",
                f"Take the file {NAME} that an earlier check exported.",
            )
        return cls(facts)

    def encode(self) -> bytes:
        return (json.dumps(self.facts, indent=1, sort_keys=True) + "\n").encode()

    def differs_from(self, earlier: Passport) -> tuple[str, ...]:
        """What is another than it was, of what never changes by use."""
        return tuple(
            f"Another {words}: {self.facts.get(name)}, the passport has {earlier.facts.get(name)}."
            for name, words in WORDS.items()
            if self.facts.get(name) != earlier.facts.get(name)
        )
