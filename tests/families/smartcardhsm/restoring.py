"""Devices that wait for shares and keys, for tests of the restore."""

from __future__ import annotations

from console.families.smartcardhsm.simulator import with_key
from tests.families.smartcardhsm.sticks import (
    initialised,
    of,
)

RESTORE = "smartcardhsm.restore"
UNWRAP, UPDATE = 0x74, 0xD7
DESCRIPTIONS = 0xC4


def empty(made):
    return initialised(made)


def waiting(count: int, got: int = 0):
    """Initialised for so many shares, of which some are in."""

    def setup(made):
        from console.families.smartcardhsm.simulator_blob import Domain

        made = initialised(made, None)
        made.applet.domains = [Domain(count, count)]
        for at in range(got):
            made.applet.domains[0].add(bytes([at + 1]) * 32)
        return made

    return setup


def three(made):
    made = initialised(made)
    for number in (1, 2, 3):
        made = with_key(made, number, f"key {number}")
    return made


def keys_of(shop, port: str) -> set[int]:
    return set(of(shop, port).applet.keys)
