"""What differs between two looks at a bus.

The rule: pure, and by visit: a device that left and came back between two looks has another
visit, so it counts as left and as come, even in the same port.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from console.events import Device


@dataclass(frozen=True)
class Changes:
    """Who left, who came, and whose facts differ although it stayed; told in this order."""

    left: tuple[Device, ...] = ()
    came: tuple[Device, ...] = ()
    changed: tuple[Device, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.left or self.came or self.changed)


def changes(before: Iterable[Device], after: Iterable[Device]) -> Changes:
    """The way from one look to the next."""
    old = {device.visit: device for device in before}
    new = {device.visit: device for device in after}
    return Changes(
        left=tuple(device for visit, device in old.items() if visit not in new),
        came=tuple(device for visit, device in new.items() if visit not in old),
        changed=tuple(
            device for visit, device in new.items() if visit in old and old[visit] != device
        ),
    )
