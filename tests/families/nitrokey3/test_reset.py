"""The resets on practice keys: what they erase, what they refuse, and what the key says then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console.families.nitrokey3.simulator import A_PASSKEY, HEALTHY, MINI, TWIN, unit
from console.families.nitrokey3.simulator_admin import Contents
from console.families.nitrokey3.simulator_faults import Faults, FirmwareFaults
from console.families.nitrokey3.simulator_fido2 import Holdings
from console.families.nitrokey3.simulator_key import Build, NitrokeyThree
from console.hardware.simulated import Scenario
from console.practice.local import InProcessBus
from console.views import RunView
from tests.harness import Workshop, workshop

LATE = 12.0
"""Seconds after plug-in: the key counts ten."""


class Hands:
    """Touches and replugs when asked to; `dawdle` says how long after plug-in, once each."""

    def __init__(self, *, dawdle: tuple[float, ...] = (), touches: bool = True) -> None:
        self.dawdle = list(dawdle)
        self.touches = touches
        self.plugged = 0
        self.shop: Workshop | None = None

    def __call__(self, bus: InProcessBus, view: RunView) -> None:
        wait = view.wait
        assert wait is not None
        if wait.acts == "touch":
            if self.touches:
                bus.press("touch", view.port)
        elif wait.hands:
            self.replug(bus, view.port)

    def replug(self, bus: InProcessBus, port: str) -> None:
        bus.pull(port)
        self.plugged += 1
        bus.plug(port)
        if self.dawdle and self.shop is not None:
            self.shop.clock.pause(self.dawdle.pop(0))


class Swapping(Hands):
    """Plugs the other key into our port, once."""

    def replug(self, bus: InProcessBus, port: str) -> None:
        bus.pull(port)
        self.plugged += 1
        bus.plug(port, of="1-2")


def reset(
    root: Path, app: str, build: Build, hands: Hands, check: Callable[[Workshop], None]
) -> RunView:
    units = (unit("1-1", build), unit("1-2", TWIN, plugged=False))
    answers = {"apps": app, "retry": "stop"}
    with workshop(root, Scenario("test", "", units), answers=answers, hands=hands) as shop:
        hands.shop = shop
        view = shop.run("nitrokey3.reset")
        check(shop)
        return view


def key(shop: Workshop, port: str = "1-1") -> NitrokeyThree:
    found = shop.bus.simulator(port)
    assert isinstance(found, NitrokeyThree)
    return found


def wiped(times: int) -> Callable[[Workshop], None]:
    def look(shop: Workshop) -> None:
        assert key(shop).holdings.wiped == times
        assert key(shop, "1-2").holdings.wiped == 0

    return look


@pytest.mark.parametrize("build", [HEALTHY, MINI, A_PASSKEY])
def test_fido2_is_erased_in_its_window(tmp_path, build: Build) -> None:
    hands = Hands()
    view = reset(tmp_path, "fido2", build, hands, wiped(1))
    assert view.ended.verdict == "repaired", view.ended
    assert hands.plugged == 1
    assert "no PIN is set" in view.ended.sentence
    asked = next(answer for answer in view.answers if answer.question == "confirm_reset")
    assert asked.answer == build.uuid.hex().upper()[-4:]


def test_it_is_armed_before_the_pull_and_says_what_dies(tmp_path) -> None:
    asked: list[str] = []

    class Reader(Hands):
        def replug(self, bus: InProcessBus, port: str) -> None:
            asked.append("pulled")
            super().replug(bus, port)

    view = reset(tmp_path, "fido2", HEALTHY, Reader(), wiped(1))
    marks = {step.id: step.mark for step in view.plan}
    assert asked == ["pulled"]
    assert [marks[name] for name in ("again", "erase", "read")] == ["x", "x", "x"]


@pytest.mark.parametrize(("app", "seconds"), [("fido2", 30.0), ("secrets", 15.0)])
def test_the_window_for_the_touch_is_the_one_that_the_key_gives(tmp_path, app, seconds) -> None:
    windows: list[float] = []

    class Watching(Hands):
        def __call__(self, bus: InProcessBus, view: RunView) -> None:
            assert view.wait is not None
            windows.append(view.wait.window)
            super().__call__(bus, view)

    assert reset(tmp_path, app, HEALTHY, Watching(), lambda shop: None).ended.verdict == "repaired"
    assert windows[-1] == seconds


def test_too_late_loses_nothing_and_is_done_once_more(tmp_path) -> None:
    hands = Hands(dawdle=(LATE,))
    view = reset(tmp_path, "fido2", HEALTHY, hands, wiped(1))
    assert view.ended.verdict == "repaired", view.ended
    assert hands.plugged == 2
    assert any("10 s were over" in said.sentence for said in view.said)


def test_always_too_late_ends_with_everything_kept(tmp_path) -> None:
    view = reset(tmp_path, "fido2", HEALTHY, Hands(dawdle=(LATE,) * 3), wiped(0))
    assert view.ended.verdict == "unfinished"


def test_another_key_in_the_port_is_left_alone(tmp_path) -> None:
    def untouched(shop: Workshop) -> None:
        # they have changed places: ours lies at 1-2
        assert [key(shop, port).holdings.wiped for port in ("1-1", "1-2")] == [0, 0]
        assert key(shop, "1-2").holdings.pin_set

    view = reset(tmp_path, "fido2", HEALTHY, Swapping(), untouched)
    assert view.ended.verdict != "repaired"
    assert "another key: its id ends in B6E2" in view.ended.sentence


@pytest.mark.parametrize("app", ["fido2", "secrets", "all"])
def test_without_a_touch_nothing_is_erased(tmp_path, app: str) -> None:
    def kept(shop: Workshop) -> None:
        wiped(0)(shop)
        assert key(shop).contents.used == {"fido", "secrets"}

    view = reset(tmp_path, app, HEALTHY, Hands(touches=False), kept)
    assert view.ended.verdict == "unfinished"
    assert "repaired" not in view.ended.sentence


@pytest.mark.parametrize(("app", "kept"), [("secrets", {"fido"}), ("opcard", {"fido", "secrets"})])
def test_one_application_is_erased_and_the_others_stay(tmp_path, app: str, kept: set) -> None:
    def look(shop: Workshop) -> None:
        wiped(0)(shop)
        assert key(shop).contents.used == kept

    view = reset(tmp_path, app, HEALTHY, Hands(), look)
    assert view.ended.verdict == "repaired", view.ended


def test_an_application_that_it_does_not_let_go_alone(tmp_path) -> None:
    """The Passkey has no OpenPGP card."""
    view = reset(tmp_path, "opcard", A_PASSKEY, Hands(), wiped(0))
    assert view.ended.verdict == "unfinished"
    assert "does not let this application be reset alone" in view.ended.sentence


def test_the_whole_key_is_erased_and_comes_back(tmp_path) -> None:
    def look(shop: Workshop) -> None:
        wiped(1)(shop)
        assert key(shop).contents.used == set()

    view = reset(tmp_path, "all", HEALTHY, Hands(), look)
    assert view.ended.verdict == "repaired", view.ended
    assert any("no FIDO2 PIN is set" in proof for proof in view.ended.proof)


# --- both lies ------------------------------------------------------------------------------


def with_firmware(**faults: bool) -> Build:
    return replace(HEALTHY, faults=Faults(firmware=FirmwareFaults(**faults)))


def test_it_says_ok_and_its_pin_is_still_set(tmp_path) -> None:
    view = reset(tmp_path, "fido2", with_firmware(reset_does_nothing=True), Hands(), wiped(0))
    assert view.ended.verdict == "unfinished"
    assert "all the same that a PIN is set" in view.ended.sentence


def test_its_answer_is_lost_and_all_is_erased(tmp_path) -> None:
    view = reset(tmp_path, "fido2", with_firmware(reset_answer_lost=True), Hands(), wiped(1))
    assert view.ended.verdict == "repaired", view.ended
    assert any("answer was lost" in said.sentence for said in view.said)


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("secrets", "it lists 2 entries, and a PIN is set"),
        ("opcard", "it holds 3 keys"),
        ("piv", "it holds 4 certificates"),
        ("all", "does not say that all is erased"),
    ],
)
def test_it_says_ok_and_the_application_is_as_it_was(tmp_path, app: str, words: str) -> None:
    build = with_firmware(reset_does_nothing=True)
    build = replace(build, contents=Contents(used={"fido", "secrets", "opcard", "piv"}))
    view = reset(tmp_path, app, build, Hands(), wiped(0))
    assert view.ended.verdict == "unfinished", view.ended
    assert words in view.ended.sentence


# --- what is proven, and what is not -----------------------------------------------------------


FULL = replace(HEALTHY, contents=Contents(used={"fido", "secrets", "opcard", "piv"}))


@pytest.mark.parametrize(
    ("app", "words", "before"),
    [
        ("secrets", "it lists no entry, and no PIN is set. Its own mark", "a PIN is set"),
        ("opcard", "it holds no keys; tries left: user PIN 3, admin PIN 3", "it holds 3 keys"),
        ("piv", "it holds no certificate; PIN: 8 tries left. Its own mark", "PIN: 5 tries left"),
    ],
)
def test_an_application_is_read_back_from_itself(
    tmp_path, app: str, words: str, before: str
) -> None:
    view = reset(tmp_path, app, FULL, Hands(), wiped(0))
    assert view.ended.verdict == "repaired", view.ended
    assert f"read back from it: {words}" in view.ended.sentence
    assert view.ended.proof[0].startswith("before: ")
    assert before in view.ended.proof[0]


@pytest.mark.parametrize("app", ["secrets", "opcard", "piv"])
def test_an_application_that_cannot_be_looked_into_is_not_claimed(tmp_path, app: str) -> None:
    build = replace(FULL, faults=Faults(firmware=FirmwareFaults(shows_apps=False)))
    view = reset(tmp_path, app, build, Hands(), wiped(0))
    assert view.ended.verdict == "unfinished", view.ended
    assert "not read back" in view.ended.sentence


def test_the_whole_key_names_what_was_read_back_and_what_was_not(tmp_path) -> None:
    view = reset(tmp_path / "a", "all", FULL, Hands(), wiped(1))
    assert "nothing in secrets, nothing in opcard." in view.ended.sentence
    shut = replace(FULL, faults=Faults(firmware=FirmwareFaults(shows_apps=False)))
    view = reset(tmp_path / "b", "all", shut, Hands(), wiped(1))
    assert "NOT read back: secrets, opcard." in view.ended.sentence


def test_a_passkey_has_nothing_beside_fido2_to_look_into(tmp_path) -> None:
    view = reset(tmp_path, "all", A_PASSKEY, Hands(), wiped(1))
    assert view.ended.verdict == "repaired", view.ended
    assert view.ended.sentence.endswith("read back: no FIDO2 PIN is set.")


def test_no_account_is_asked_for_before_the_reset(tmp_path) -> None:
    """Their names are the customer's business: only a store that should be empty is listed."""
    answers = {"apps": "secrets", "retry": "stop"}
    units = (unit("1-1", FULL),)
    asked: list[bytes] = []

    def touch(bus: InProcessBus, view: RunView) -> None:
        asked.extend(shop.bus.sent)
        bus.press("touch", "1-1")

    with workshop(tmp_path, Scenario("t", "", units), answers=answers, hands=touch) as shop:
        shop.run("nitrokey3.reset")
        after = shop.bus.sent[len(asked) :]
    listing = bytes.fromhex("00a10000")
    assert not any(listing in sent for sent in asked)
    assert any(listing in sent for sent in after)


def without_pin(**holdings: int) -> Build:
    build = with_firmware(tells_room=bool(holdings))
    return replace(build, holdings=replace(build.holdings, pin_set=False, **holdings))


def test_without_a_pin_its_answer_alone_is_named_as_the_proof(tmp_path) -> None:
    bare = replace(HEALTHY, holdings=Holdings())
    view = reset(tmp_path, "fido2", bare, Hands(), wiped(1))
    assert view.ended.verdict == "repaired"
    assert "by the key's own answer alone" in view.ended.sentence
    assert any("not proven: what it erased" in line for line in view.ended.proof)


def test_room_for_more_passkeys_proves_it_without_a_pin(tmp_path) -> None:
    view = reset(tmp_path, "fido2", without_pin(residents=12), Hands(), wiped(1))
    assert view.ended.verdict == "repaired"
    assert "room for 100 passkeys, and was for 88" in view.ended.sentence


def test_full_tries_prove_it_without_a_pin(tmp_path) -> None:
    build = replace(HEALTHY, holdings=Holdings(pin_tries=5))
    view = reset(tmp_path, "fido2", build, Hands(), wiped(1))
    assert "its PIN tries are 8 again, and were 5" in view.ended.sentence


def test_a_pin_that_is_gone_is_the_proof(tmp_path) -> None:
    view = reset(tmp_path, "fido2", HEALTHY, Hands(), wiped(1))
    assert "its PIN is gone; no PIN is set" in view.ended.sentence


def test_a_lost_answer_is_made_up_for_by_the_room(tmp_path) -> None:
    build = without_pin(residents=12)
    faults = replace(build.faults.firmware, reset_answer_lost=True)
    view = reset(
        tmp_path, "fido2", replace(build, faults=Faults(firmware=faults)), Hands(), wiped(1)
    )
    assert view.ended.verdict == "repaired", view.ended


def test_a_lost_answer_of_a_key_that_had_no_pin_proves_nothing(tmp_path) -> None:
    build = with_firmware(reset_answer_lost=True)
    bare = replace(build, holdings=replace(build.holdings, pin_set=False))
    view = reset(tmp_path, "fido2", bare, Hands(), wiped(1))
    assert view.ended.verdict == "unfinished"
    assert "nothing else tells what it did" in view.ended.sentence
