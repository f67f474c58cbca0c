"""What tests of screens share: a feed from a real bench in this process, and records by hand.

The rule: snapshots come from the real folds of real journals; only the socket is left out.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from textual import events

from console.bench import Bench
from console.cards import absent_card, card
from console.events import Device, Event, Node
from console.families import found
from console.jobs import scp_line
from console.journal import Record
from console.picture import Picture
from console.run import Request
from console.state import State
from screens.app import Replug
from screens.base import Page
from screens.lines import Lines
from screens.snapshot import NOT_SHOWN, Snapshot, card_from

PATIENCE = 20.0
"""Seconds of real time that a test waits for the bench's threads before it fails."""
SPECIAL = {"\r": "enter", "\x1b": "escape", "\x7f": "backspace", " ": "space"} | {
    ".": "full_stop",
    "/": "slash",
}


class BenchFeed:
    """The Feed of a bench in this process; keeps what was asked of it."""

    by = "test"

    def __init__(self, bench: Bench, state: State) -> None:
        self.state = state
        self.bench = bench
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.away = ("", "")
        self._show: Callable[[Snapshot], object] = lambda _: None
        self._reading = threading.Lock()
        self._picture: Picture | None = None

    def begin(self, show: Callable[[Snapshot], object]) -> None:
        self._show = show
        self._picture = Picture(self.state, self.bench.listen(self._hear))
        self._hear({"look": True})

    def _hear(self, nudge: dict[str, Any]) -> None:
        with self._reading:
            self._picture.take(nudge)
            self._show(self.snapshot())

    def snapshot(self) -> Snapshot:
        picture = self._picture
        cards = {d.port: card_from(self._card(d.port)) for d in picture.bench.here}
        absent = card_from(dataclasses.asdict(absent_card(NOT_SHOWN, found())))
        return Snapshot(
            bench=picture.bench,
            runs=picture.runs,
            progress=dict(picture.progress),
            cards={**cards, NOT_SHOWN: absent},
            host="repair-2",
            practice=self.state.practice,
            away=self.away,
            jobs=picture.jobs,
            sends={job: scp_line(self.state, job, self.by, "repair-2") for job in picture.jobs},
        )

    def _card(self, port: str) -> dict[str, Any]:
        device = next(d for d in self.bench.present() if d.port == port)
        return dataclasses.asdict(card(device, self.bench.families, self.bench.desk.book))

    def ask(self, do: str, **fields: Any) -> Any:
        self.asked.append((do, fields))
        match do:
            case "answer":
                values = (fields[name] for name in ("run", "question", "answer", "by"))
                return self.bench.answer(*values)
            case "stop_run":
                return self.bench.stop_run(fields["run"], fields["by"])
            case "label":
                return self.bench.desk.label(fields["port"], fields["label"], fields["by"])
            case "assign":
                return self.bench.desk.assign(fields["port"], fields["job"], fields["by"])
            case "look":
                return self.bench.look_again()
            case "mark":
                off, by = fields["hands_off"], fields["by"]
                return self.bench.desk.mark(fields["port"], hands_off=off, by=by)
            case "note":
                return self.bench.note(fields["run"], fields["text"], fields["by"])
            case "note_job":
                return self.bench.desk.note_job(fields["job"], fields["text"], fields["by"])
        raise AssertionError(do)

    def start_run(self, request: Request) -> str:
        self.asked.append(("run", dataclasses.asdict(request)))
        return self.bench.open_run(request)

    def end(self) -> None:
        self._show = lambda _: None

    def answers(self) -> list[str]:
        """The answers that reached the bench."""
        return [fields["answer"] for do, fields in self.asked if do == "answer"]


def seen(app: Replug) -> str:
    """Everything on the screen in hand."""
    assert isinstance(app.screen, Page)
    return "\n".join(lines.text for lines in app.screen.query(Lines))


async def until(pilot: Any, holds: Callable[[], bool]) -> None:
    """Let messages pass until it holds. Fails with what stands on the screen."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to that:\n{seen(pilot.app)}"
        await pilot.pause(0.01)
    await pilot.pause()


async def sees(pilot: Any, words: str) -> None:
    """Wait until the words stand on the screen."""
    await until(pilot, lambda: words in seen(pilot.app))


async def types(pilot: Any, words: str) -> None:
    """Type into the field, once it is there and has been seen, and press Enter."""
    page = pilot.app.screen
    await until(pilot, lambda: page.answer.field is not None and page.answer.field.was_seen)
    await pilot.press(*("space" if c == " " else c for c in words), "enter")


def keys(words: str, at: float | None = None) -> Iterator[events.Key]:
    """Each letter as a key event, as typed at that time."""
    for letter in words:
        event = events.Key(SPECIAL.get(letter, letter), letter)
        if at is not None:
            event.time = at
        yield event


async def burst(pilot: Any, words: str, at: float | None = None) -> None:
    """All of it at once, as a line that hung delivers it."""
    for event in keys(words, at):
        pilot.app.post_message(event)
    await pilot.pause()


def records(*events: Event, start: int = 1) -> tuple[Record, ...]:
    """The events as a journal would hold them, one a second from 14:00:00 UTC."""
    return tuple(
        Record(
            number,
            f"2026-05-04T14:{number // 60:02}:{number % 60:02}.000Z",
            1000.0 + number,
            "boot",
            "",
            event,
            "",
        )
        for number, event in enumerate(events, start=start)
    )


def device(port: str = "1-1", **facts: Any) -> Device:
    """A Core in DFU mode, but for what is said."""
    known: dict[str, Any] = {"vid": "1d50", "pid": "607f", "serial": "6D7524674852"}
    known["visit"] = f"visit {port}"
    known["nodes"] = (Node(f"/dev/bus/usb/001/{len(port):03}", "usb", True),)
    return Device(port, **{**known, **facts})
