"""The command that prints the udev rules: the rights that this bench's users need.

The rule: what is in them follows from the families' own tables of modes and from nothing else.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console.commands.words import say
from console.state import State

if TYPE_CHECKING:
    from console.families import Family

Given = argparse.Namespace


def udev(_given: Given, _state: State) -> int:
    """The udev rules for every family, to be put into a file."""
    from console.families import found
    from console.hardware.rights import rules

    say(rules(identities(found())).rstrip("\n"))
    return 0


def identities(families: tuple[Family, ...]) -> dict[str, str]:
    """Every VID:PID in which a family's device shows, and what it then is.

    Modes that are told by other signs (a card in a reader, a kit by its serial) have none.
    """
    known: dict[str, list[str]] = {}
    for family in families:
        for mode in family.modes:
            if mode.vid and mode.pid:
                known.setdefault(f"{mode.vid}:{mode.pid}", []).append(mode.title)
    return {ids: ", ".join(dict.fromkeys(titles)) for ids, titles in known.items()}
