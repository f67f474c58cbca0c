"""Case 1 from the first screen to the exported record, from the keyboard, in its guest."""

from __future__ import annotations

import json

from console.events import Device
from console.families.nitrokey3.simulator import FIRST
from console.families.nitrokey3.simulator_rows import Version
from tests.families.nitrokey3.container import release
from tests.harness import Workshop
from tests.screens.showing import seen, sees, types
from tests.screens.test_app import shown

NEW = Version(1, 7, 2)


class Hands:
    """A person who touches when asked to and attaches what they are told to; answers nothing."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        self.asked: list[str] = []
        self._done: set[tuple[str, str]] = set()

    def hear(self, message: dict) -> None:
        if "run" not in message:
            return
        view = self.shop.bench.runs().get(message["run"])
        wait = view.wait if view is not None else None
        if view is None or wait is None or (wait.since, wait.what) in self._done:
            return
        self._done.add((wait.since, wait.what))
        self.asked += wait.hands or (wait.what,)
        if wait.acts == "touch":
            self.shop.bus.press("touch", view.port)
        elif any("ttach" in hand for hand in wait.hands):
            self.shop.bus.press("attach", view.port)


def at(shop: Workshop) -> Device:
    return shop.bus.scan()[0]


async def test_the_key_of_case_1_is_repaired_from_the_keyboard_and_exported(tmp_path) -> None:
    """The bootloader is named before the first byte, attached twice, and 12 s are waited for."""
    async with shown(tmp_path, "case-1", first="Nitrokey 3") as (pilot, _, shop):
        hands = Hands(shop)
        shop.bench.listen(hands.hear)
        await pilot.press("f")
        await sees(pilot, "Write firmware")
        await pilot.press("2", "s")
        await sees(pilot, "image >")
        await types(pilot, str(release().path))
        await sees(pilot, "confirm_guest >")
        assert "20a0:42dd" in seen(pilot.app)
        await types(pilot, "yes")
        await sees(pilot, "That is not what has to be typed")  # a yes is no consent
        await pilot.press(*["backspace"] * 3)
        await types(pilot, "20a0:42dd")
        await sees(pilot, "confirm_write >")
        assert at(shop).pid == "42dd"
        await types(pilot, FIRST.hex().upper()[-4:])
        await sees(pilot, "R E P A I R E D")
        assert "v1.7.2" in seen(pilot.app)
        await pilot.press("e")
        await sees(pilot, "Exported: run-1.jsonl, run-1.html, run-1.md in")

        assert shop.bus.simulator().version == NEW
        assert at(shop).pid == "42b2"
        assert hands.asked[1:] == [
            "Attach 20a0:42dd to this guest now.",
            "No hurry: nothing is written.",
            "Have the host take it away from this guest.",
            "Attach 20a0:42dd to this guest once more.",
            "Attach 20a0:42b2 to this guest now.",
        ]
        exported = (shop.state.exports / "run-1.jsonl").read_text().splitlines()
        page = (shop.state.exports / "run-1.md").read_text()
        events = [json.loads(line) for line in exported]
        ended = next(event for event in events if event["event"] == "RunEnded")
        assert (ended["verdict"], ended["damage"]) == ("repaired", "nothing written")
        assert "It is back and says itself that it runs v1" in page
        assert "This machine is a guest" in page
        assert not list(shop.state.exports.glob("*.sb2"))  # the image stays with the run


async def test_its_healthy_twin_needs_a_touch_and_no_word_of_a_guest(tmp_path) -> None:
    """The same keys on a machine that is no guest; the other key of that bench is left alone."""
    async with shown(tmp_path, "nk3-twins", first="Nitrokey 3") as (pilot, _, shop):
        hands = Hands(shop)
        shop.bench.listen(hands.hear)
        await pilot.press("1", "f")
        await sees(pilot, "Write firmware")
        await pilot.press("2", "s")
        await sees(pilot, "image >")
        await types(pilot, str(release().path))
        await sees(pilot, "confirm_write >")
        await types(pilot, FIRST.hex().upper()[-4:])
        await sees(pilot, "R E P A I R E D")

        first, second = (shop.bus.simulator(port) for port in ("1-1", "1-2"))
        assert (first.version, second.version) == (NEW, Version(1, 7, 0))
        assert second.rom.counts.commands == []
        assert not any("ttach" in asked for asked in hands.asked)
