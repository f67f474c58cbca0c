"""What people say of the bench, and where it is written: port labels, hands-off marks.

The rule: it is the bench's own, so everything here is done by the bench's owner thread (do());
what is said of a port is kept in its file before the day's journal tells of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from console.cards import introduce, unit_of
from console.errors import GateClosed, NoSuchDevice
from console.events import Device, DevicePlugged, Event, PortLabelled, PortMarked
from console.families import Family
from console.ports import HANDS_OFF, NOTHING_SAID, PortBook, read_ports, write_ports
from console.state import State

T = TypeVar("T")


class Room(Protocol):
    """What the desk needs of the bench it stands in."""

    state: State
    families: tuple[Family, ...]

    def do(self, work: Callable[[], T]) -> T: ...

    def log(self, event: Event) -> None: ...

    def present(self) -> tuple[Device, ...]: ...

    def look_again(self) -> None: ...

    def must_be_free(self, port: str) -> None: ...


class Desk:
    """See the module."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.book: PortBook = NOTHING_SAID
        self._is_read = False

    def open(self) -> None:
        """Read what was said before; never written over unread. Raises RecordError."""
        if not self._is_read:
            self.book = read_ports(self._room.state)
            self._is_read = True

    def introduce(self, device: Device) -> DevicePlugged:
        return introduce(device, self._room.families, self.book)

    def marked_ports(self) -> frozenset[str]:
        """The ports in which something sits that is marked hands off."""
        there = self._room.present()
        return frozenset(device.port for device in there if self.introduce(device).mark)

    def must_be_ours(self, device: Device) -> None:
        """Raises GateClosed for a device that is marked hands off."""
        seen = self.introduce(device)
        if seen.mark:
            raise GateClosed(
                f"The device on port {device.port} is marked {seen.mark}.",
                f"Nothing was sent to it. If it may be touched: replug mark {device.port} clear",
            )

    def _keep(self, book: PortBook, event: Event) -> None:
        write_ports(self._room.state, book)
        self.book = book
        self._room.log(event)

    def label(self, words: str, label: str, by: str) -> str:
        """Name a port, or take its name away (""); the port. Raises RecordError."""

        def name() -> str:
            self.open()
            port = self.book.port_named(words)
            self._keep(self.book.labelled(port, label), PortLabelled(port, label, by))
            return port

        return self._room.do(name)

    def mark(self, words: str, *, hands_off: bool, by: str) -> str:
        """Mark what sits in a port hands off, or clear that; the port.

        Raises NoSuchDevice, GateClosed (a run goes on there), RecordError.
        """
        self._room.look_again()
        return self._room.do(lambda: self._mark(self.book.port_named(words), hands_off, by))

    def _mark(self, port: str, hands_off: bool, by: str) -> str:
        self.open()
        here = [known for known in self._room.present() if known.port == port]
        unit = unit_of(here[0], self._room.families) if here else ""
        if not hands_off:
            self._keep(self.book.cleared(port, unit), PortMarked(port, "", by))
            return port
        if not unit:
            raise NoSuchDevice(f"Nothing sits in port {port} that could be marked.")
        self._room.must_be_free(port)
        self._keep(self.book.marked(port, unit), PortMarked(port, HANDS_OFF, by))
        return port
