"""A PC/SC service that refuses us, and one that dies with our request unread: the library calls
both "refused" (winscard_msg.c, ECONNRESET), and a technician must not be sent after polkit rules.

The service is played at its socket, as winscard_msg.h of pcsc-lite 1.9 describes it.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from console.clock import MachineClock
from console.errors import NotPermitted, Unplugged
from console.events import Card, Device
from console.hardware import pcsc
from console.hardware.card import PcscCard
from tests.hardware.stack import FOLDER, address

HEADER = struct.Struct("=II")
SESSION = 2
"""Requests until a context stands: the version, then the context itself; three words each."""


def play(listener: socket.socket, answers: int, dies: bool) -> None:
    """Answer so many requests of each client; then leave one unread, as who refuses or dies."""
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                for _ in range(answers):
                    size, _ = HEADER.unpack(client.recv(HEADER.size, socket.MSG_WAITALL))
                    first, _, rv = struct.unpack("=III", client.recv(size, socket.MSG_WAITALL))
                    client.sendall(struct.pack("=III", first, 1, rv))
                size, _ = HEADER.unpack(client.recv(HEADER.size, socket.MSG_PEEK))
                if size:
                    client.recv(HEADER.size)
                    client.recv(1, socket.MSG_PEEK)  # all of it was sent then
                if dies:
                    # The kernel closes what a process has open in order: this came first.
                    listener.shutdown(socket.SHUT_RDWR)
                    listener.close()
            if dies:
                return


@contextmanager
def service(answers: int = 0, dies: bool = False) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address(FOLDER))
        listener.listen()
        thread = threading.Thread(target=play, args=(listener, answers, dies))
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            Path(address(FOLDER)).unlink()


def opened() -> PcscCard:
    card = Card("Made-up Reader 00 00", "3b80800101", inserted=1)
    return PcscCard(Device("", "", "", "", cards=(card,)), card, MachineClock())


@pytest.mark.usefixtures("machine")
def test_a_service_that_refuses_us_is_said_with_what_is_missing() -> None:
    with service():
        assert pcsc.look().state == pcsc.REFUSED
        with pytest.raises(NotPermitted, match="does not let this user open"):
            opened()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("answers", range(SESSION + 1))
def test_a_service_that_dies_while_it_is_asked_refuses_nobody(answers: int) -> None:
    with service(answers, dies=True):
        assert pcsc.look().state == pcsc.NO_SERVICE
    with service(answers, dies=True), pytest.raises(Unplugged, match="service ended"):
        opened()
