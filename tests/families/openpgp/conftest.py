"""Simulated cards of these tests draw their RSA keys from a few that are made once.

The rule: real keys of the real size, by the library; only the search for primes is not repeated.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from console.families.openpgp import simulator_keys

DIFFERENT = 8
"""Keys of a size; more than any one card of a test makes, so that each is new to it."""


class Drawn:
    """As rsa.generate_private_key, with the same keys again after a while."""

    def __init__(self) -> None:
        self._made: dict[int, list[rsa.RSAPrivateKey]] = defaultdict(list)
        self._turn = count()

    def __call__(self, exponent: int, bits: int) -> rsa.RSAPrivateKey:
        made = self._made[bits]
        if len(made) < DIFFERENT:
            made.append(rsa.generate_private_key(exponent, bits))
            return made[-1]
        return made[next(self._turn) % DIFFERENT]


DRAWN = Drawn()


@pytest.fixture(autouse=True)
def _drawn_keys(monkeypatch):
    """For the card's own making alone."""
    names = vars(rsa) | {"generate_private_key": DRAWN}
    monkeypatch.setattr(simulator_keys, "rsa", SimpleNamespace(**names))
