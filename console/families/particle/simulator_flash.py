"""The memories of a simulated device: NOR flash and a settings store, as its bootloader sees them.

The rule: erasing sets a whole page to ones, writing can only clear bits. A chip that does not
answer reads as ones, and waiting for it never ends.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.hardware.simulated import Hang

INTERNAL_BASE = 0x0800_0000
EXTERNAL_BASE = 0
MEDIA_MASK = 0xFC00_0000
BLANK = 0xFF


@dataclass
class Flash:
    """One NOR memory. The first `locked` bytes take neither erase nor write, and say nothing."""

    base: int
    page: int
    cells: bytearray
    locked: int = 0
    alive: bool = True

    def read(self, address: int, length: int) -> bytes:
        if not self.alive:
            return bytes((BLANK,)) * length
        at = address - self.base
        return bytes(self.cells[at : at + length]).ljust(length, bytes((BLANK,)))

    def erase(self, address: int) -> int:
        """Erase the page that holds the address; returns where that page begins.

        Raises Hang on a chip that does not answer: the driver waits for its busy bit without
        a limit, and a line that nobody drives reads as busy.
        """
        self._await_chip()
        at, size = self._page(address - self.base)
        if self.locked <= at < len(self.cells):
            self.cells[at : at + size] = bytes((BLANK,)) * size
        return self.base + at

    def _page(self, at: int) -> tuple[int, int]:
        """Where the page that holds the offset begins, and how long it is."""
        return at // self.page * self.page, self.page

    def write(self, address: int, data: bytes) -> None:
        """Clear the bits that are 0 in the data. Raises Hang as erase()."""
        self._await_chip()
        # The bootloader pads external writes to 256 bytes with ones (ST sample); ones change
        # nothing in a NOR memory, so that cannot be seen and is not repeated here.
        for at, byte in enumerate(data, start=address - self.base):
            if self.locked <= at < len(self.cells):
                self.cells[at] &= byte

    def _await_chip(self) -> None:
        if not self.alive:
            raise Hang

    def freeze(self) -> str:
        return base64.b64encode(zlib.compress(bytes(self.cells), 6)).decode("ascii")

    def thaw(self, frozen: str) -> None:
        cells = zlib.decompress(base64.b64decode(frozen))
        if len(cells) != len(self.cells):
            raise ValueError("a memory of another size")
        self.cells[:] = cells


@dataclass
class Sectors(Flash):
    """NOR flash whose pages differ in size, as the STM32F2 has them; `page` is not used."""

    sizes: tuple[int, ...] = ()

    def _page(self, at: int) -> tuple[int, int]:
        start = 0
        for size in self.sizes:
            if start <= at < start + size:
                return start, size
            start += size
        return at, 0


@dataclass
class Store(Flash):
    """A settings store (DCT): the device does the erasing; what is written replaces."""

    def erase(self, address: int) -> int:
        return address

    def write(self, address: int, data: bytes) -> None:
        at = address - self.base
        data = data[: max(0, len(self.cells) - at)]
        self.cells[at : at + len(data)] = data


@dataclass
class Memories:
    """Both memories of a Core. The address alone decides which one is meant."""

    internal: Flash
    external: Flash

    def at(self, address: int, alternate: int) -> Flash | None:
        """The memory behind the address; None where the bootloader knows none."""
        match address & MEDIA_MASK:
            case self.internal.base:
                return self.internal
            case self.external.base:
                return self.external
            case _:
                return None

    def freeze(self) -> dict[str, Any]:
        return {"internal": self.internal.freeze(), "external": self.external.freeze()}

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self.internal.thaw(frozen["internal"])
        self.external.thaw(frozen["external"])


@dataclass
class ChosenMemories(Memories):
    """Internal flash and a settings store. The alternate setting decides which one is meant."""

    def at(self, address: int, alternate: int) -> Flash | None:
        chosen = (self.internal, self.external)[alternate]
        return chosen if chosen.base <= address < chosen.base + len(chosen.cells) else None
