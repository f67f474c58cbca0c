"""The check, the passport, and what can be updated: everything without a PIN."""

from __future__ import annotations

import json

import pytest

from console.families.smartcardhsm.simulator import with_key
from console.families.smartcardhsm.simulator_rows import FIRMWARES, HSM_2_5, HSM_3_1, HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.sticks import (
    KCV,
    bench,
    card,
    fresh,
    initialised,
    kept,
    of,
    with_ec,
)
from tests.harness import workshop

CHECK = "smartcardhsm.check"


def passport(shop, view) -> dict:
    return json.loads((shop.state.artefacts(view.run) / "device-passport.json").read_text())


def said(view) -> str:
    return " ".join(f"{told.sentence} {told.advice}" for told in view.said)


def test_a_healthy_device_is_described_and_nothing_is_spent(tmp_path):
    with workshop(tmp_path, "hsm-healthy") as shop:
        before = kept(shop, "1-1")
        view = shop.run(CHECK)
        facts = passport(shop, view)

        assert view.verdict == "no fault found"
        assert (facts["firmware"], facts["serial"]) == ("3.4", "DENK0102417")
        assert facts["key_check_value"] == KCV
        assert facts["keys"] == {"1": "web server", "2": "code signing"}
        assert "3 tries left" in said(view)
        assert "15 tries left" in said(view)
        assert kept(shop, "1-1") == before


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
def test_the_version_comes_from_the_device_and_decides_the_line(tmp_path, row):
    """The serial is one of the range published for 3.4, whatever runs on it."""
    with workshop(tmp_path, bench(card("DENK0102000", row))) as shop:
        view = shop.run(CHECK)
        text = said(view)

        assert f"firmware {row.name}" in view.ended.sentence
        assert ("never become 3.x" in text) == (row.major < 3)
        assert ("USB part can never be updated" in text) == (row.major >= 3)
        assert ("6F00" in text) == (row.name == "3.1")


def test_data_objects_and_certificates_are_told_with_their_labels(tmp_path):
    """PKCS#15 descriptions beside them: C9xx and C8xx."""

    def setup(made):
        files = initialised(made).applet.files
        for number, label in ((0xC901, b"notes"), (0xC802, b"our CA")):
            named = tlv.encode(0x30, tlv.encode(0x0C, label))
            files.put(number, tlv.encode(0x30, named, tlv.encode(0x30)))
        for number in (0xCF01, 0xCA02, 0xCF03):
            files.put(number, b"content")
        return made

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        text = said(shop.run(CHECK))

        assert 'data object 1 "notes"' in text
        assert 'CA certificate 2 "our CA"' in text
        assert "data object 3." in text


def test_a_device_that_was_never_initialised_has_no_fault(tmp_path):
    with workshop(tmp_path, bench(card(setup=fresh))) as shop:
        view = shop.run(CHECK)

        assert view.verdict == "no fault found"
        assert "never initialised" in view.ended.sentence


def test_a_key_that_no_program_shows_is_a_fault_with_a_way_out(tmp_path):
    with workshop(tmp_path, "hsm-half-restored") as shop:
        view = shop.run(CHECK)

        assert (view.verdict, view.ended.reason) == ("unfinished", "fault found")
        assert "without its description" in view.ended.sentence
        assert "restore" in view.ended.advice


def block(made, which: int, wrong: bytes) -> None:
    """Give a wrong PIN until it is blocked."""
    made.begin(bytes.fromhex("00a404000be82b0601040181c31f020100"))
    made.work(0.0)
    for _ in range(16):
        made.begin(bytes((0, 0x20, 0, which, len(wrong))) + wrong)
        made.work(0.0)
    made.reset()


def test_a_blocked_pin_is_a_fault_and_both_blocked_are_beyond_repair(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        block(of(shop), 0x81, b"000000")
        view = shop.run(CHECK)
        assert view.verdict == "unfinished"
        assert "unblock" in view.ended.advice

        block(of(shop), 0x88, b"00000000")
        view = shop.run(CHECK)
        assert view.verdict == "beyond repair"
        assert view.ended.proof


def test_a_passport_tells_the_same_unit_from_another(tmp_path):
    """Before and after shipping: the same is well, another one is a fault."""
    with workshop(tmp_path, bench(card(), card("DENK0109002"))) as shop:
        first = shop.run(CHECK)
        path = tmp_path / "earlier.json"
        path.write_bytes((shop.state.artefacts(first.run) / "device-passport.json").read_bytes())
        same = shop.run(CHECK, answers={"passport": str(path)})
        other = shop.run(CHECK, "1-2", answers={"passport": str(path)})

        assert same.verdict == "no fault found"
        assert passport(shop, same) == passport(shop, first)
        assert other.verdict == "unfinished"
        assert "Another serial" in other.ended.sentence


def test_two_looks_at_one_unit_are_the_same_bytes(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        runs = [shop.run(CHECK).run for _ in range(2)]
        one, two = ((shop.state.artefacts(run) / "device-passport.json") for run in runs)

        assert one.read_bytes() == two.read_bytes()


def test_plugging_in_sends_nothing(tmp_path):
    """Recognised by its answer to reset; no SELECT on sight."""
    with workshop(tmp_path, "hsm-healthy") as shop:
        shop.bench.look_again()
        shop.bench.describe("1-1")

        assert shop.bus.sent == []


@pytest.mark.parametrize(
    ("row", "verdict", "words"),
    [
        (HSM_2_5, "no fault found", "no update"),
        (HSM_3_1, "unfinished", "3.1"),
        (HSM_3_4, "no fault found", "no fault"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_flash_says_where_what_dies_and_what_must_exist_first(tmp_path, row, verdict, words):
    setup = lambda made: with_key(initialised(made), 1, "web server")  # noqa: E731
    with workshop(tmp_path, bench(card(firmware=row, setup=setup))) as shop:
        view = shop.run("smartcardhsm.flash")
        everything = f"{view.ended.sentence} {view.ended.advice} {view.ended.to_do}"

        assert view.verdict == verdict
        assert words in everything
        assert "backup" in everything


def test_the_capture_of_somebody_elses_card_is_read_as_that_card_said_it():
    """Its answers, given to the client one by one."""
    from console.families.smartcardhsm.client import SO, SmartCardHsm
    from tests.families.smartcardhsm.captured import Captured

    for part, pin, so, shares in (
        ("fresh", "never initialised", "never initialised", "none"),
        ("initialised", "3 tries", "15 tries", "1 share"),
    ):
        hsm = SmartCardHsm.open(Captured(part))
        assert str(hsm.version) == "6.6"
        assert pin in hsm.pin().words
        assert so in hsm.pin(SO).words
        assert shares in hsm.key_shares().words
        assert 0xC400 in hsm.files()
