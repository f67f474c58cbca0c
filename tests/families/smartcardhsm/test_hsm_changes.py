"""What changes a device: reset, rekey, unblock; tries before and after; a second device."""

from __future__ import annotations

import pytest
from cryptography import x509

from console.families.smartcardhsm.client import InitData
from console.families.smartcardhsm.rehearsal import SENTENCE, Rehearsed, may_be_wiped
from console.families.smartcardhsm.request import ALGORITHMS
from console.families.smartcardhsm.reset import renamed
from console.families.smartcardhsm.simulator import PIN, initialised, with_key
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_rows import FIRMWARES, HSM_3_1
from console.protocols import tlv
from tests.families.smartcardhsm.sticks import (
    NEW,
    SO,
    SO_TEXT,
    USER,
    backed_up,
    bench,
    card,
    fresh,
    kept,
    of,
    with_ec,
)
from tests.harness import workshop

RESET, REKEY, UNBLOCK = (f"smartcardhsm.{name}" for name in ("reset", "rekey", "unblock"))
INITIALIZE, GENERATE = 0x50, 0x46
HEX, TEXT = "16 hex digits", "8 characters"


def wishes(**others: str) -> dict[str, str]:
    """What a technician brings to a reset; the typed consent comes from who is there."""
    return {"shares": "1", "so_pin_format": HEX, "so_pin": SO, "new_pin": NEW} | others


def so_tries(shop, port: str = "1-1") -> int:
    return of(shop, port).applet.pins.so.tries


def sent(shop, instruction: int) -> list[bytes]:
    return [apdu for apdu in shop.bus.sent if apdu[1] == instruction]


# --- reset --------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
def test_a_reset_is_proven_by_the_device_itself(tmp_path, row):
    """Keys gone, shares as planned, the new PIN opens it, the SO-PIN's tries unspent."""
    with workshop(tmp_path, bench(card(firmware=row, setup=with_ec))) as shop:
        view = shop.run(RESET, answers=wishes(shares="2", label="bench 7"))
        applet = of(shop).applet

        assert view.verdict == "repaired", view.ended
        assert applet.keys == {}
        assert (applet.domains[0].shares, so_tries(shop)) == (2, 15)
        assert applet.pins.user.value == NEW.encode()
        assert b"bench 7" in applet.files.content(0x2F03)
        assert view.ended.damage == "nothing written"


@pytest.mark.parametrize(("words", "domains"), [("none", 0), ("0", 1), ("3", 1)])
def test_the_planned_shares_are_what_the_device_then_says(tmp_path, words, domains):
    with workshop(tmp_path, bench(card(setup=fresh))) as shop:
        view = shop.run(RESET, answers=wishes(shares=words))

        assert view.verdict == "repaired", view.ended
        assert len(of(shop).applet.domains) == domains


def test_both_ways_of_writing_an_so_pin_are_the_same_eight_bytes(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        answers = wishes(so_pin_format=TEXT, so_pin=SO_TEXT)

        assert shop.run(RESET, answers=answers).verdict == "repaired"


@pytest.mark.parametrize(
    ("form", "typed"),
    [(HEX, SO[:-1]), (HEX, SO_TEXT), (TEXT, SO_TEXT[:-1]), (TEXT, SO), (HEX, "x" * 16)],
)
def test_an_so_pin_that_cannot_be_one_is_never_sent(tmp_path, form, typed):
    """Counted first: no try is spent on a short one, nor on the other format."""
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        before = kept(shop, "1-1")
        view = shop.run(RESET, answers=wishes(so_pin_format=form, so_pin=typed))

        assert view.verdict == "refused"
        assert str(len(typed)) in view.ended.sentence
        assert sent(shop, INITIALIZE) == []
        assert kept(shop, "1-1") == before


def test_a_wrong_so_pin_costs_one_try_and_nothing_else(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        view = shop.run(RESET, answers=wishes(so_pin="3537363231383831"))

        assert view.verdict == "refused"
        assert "15 tries left before, 14 tries left now" in view.ended.sentence
        assert "still there" in view.ended.advice
        assert view.ended.damage == "nothing written"
        assert (so_tries(shop), set(of(shop).applet.keys)) == (14, {1})


def test_below_four_tries_nobody_is_asked(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        of(shop).applet.pins.so.tries = 3
        view = shop.run(RESET, answers=wishes())

        assert view.verdict == "refused"
        assert "3 tries" in view.ended.sentence
        assert sent(shop, INITIALIZE) == []


@pytest.mark.parametrize("typed", ["9001", "0000"])
def test_consent_is_the_last_four_of_the_serial_or_of_the_whole_name(tmp_path, typed):
    """DENK0109001, or DENK010900100000 as the certificate has it."""
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        view = shop.run(
            RESET, attended=False, answers=wishes(confirm_reset=typed, confirm_unproven=SENTENCE)
        )

        assert view.verdict == "repaired", view.ended


def test_without_the_right_consent_nothing_is_sent(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        before, given = kept(shop, "1-1"), wishes(confirm_unproven=SENTENCE)
        view = shop.run(RESET, attended=False, answers=given | {"confirm_reset": "9999"})
        assert (view.verdict, sent(shop, INITIALIZE)) == ("refused", [])
        view = shop.run(RESET, attended=False, answers=given)
        assert (view.ended.reason, sent(shop, INITIALIZE)) == ("unanswered", [])
        assert kept(shop, "1-1") == before


def test_keys_proven_on_a_second_device_are_said_to_be(tmp_path):
    """Backed up, restored elsewhere, and signed for there; the second one is left as it was."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        restored = {"backup": str(files), "pin": USER}
        shop.run("smartcardhsm.restore", "1-2", answers=restored)
        before = kept(shop, "1-2")
        view = shop.run(RESET, answers=wishes(second="1-2", second_pin=USER))
        step = next(step for step in view.steps if step.id == "rehearse")

        assert view.verdict == "repaired", view.ended
        assert "1 key, all of them" in step.found
        assert "confirm_unproven" not in {given.question for given in view.answers}
        assert view.ended.warnings == ()
        assert kept(shop, "1-2") == before


def test_keys_that_the_second_device_lacks_are_named(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        view = shop.run(RESET, answers=wishes(second="1-2", second_pin=USER))

        assert any("NOT proven" in words and "web server" in words for words in view.ended.warnings)
        assert "confirm_unproven" in {given.question for given in view.answers}


ALL, NONE_THERE = Rehearsed(("a", "b"), (), "DENK2"), Rehearsed()
SOME, NOWHERE = Rehearsed(("a",), ("b",), "DENK2"), Rehearsed((), ("a", "b"))


@pytest.mark.parametrize(
    ("rehearsed", "typed", "may"),
    [
        (NONE_THERE, None, True),
        (ALL, None, True),
        (SOME, None, False),
        (NOWHERE, None, False),
        (SOME, "yes", False),
        (NOWHERE, "", False),
        (NOWHERE, SENTENCE.upper(), False),
        (SOME, SENTENCE, True),
        (NOWHERE, SENTENCE, True),
        (Rehearsed(("a",), (), ""), None, False),
    ],
)
def test_a_source_is_wiped_only_when_proven_or_given_up(rehearsed, typed, may):
    """Proven counts on a named second device only; nothing but the whole sentence gives up."""
    assert may_be_wiped(rehearsed, typed) is may


@pytest.mark.parametrize("second", ["", "1-2"])
@pytest.mark.parametrize(
    ("typed", "ended"),
    [("yes", "refused"), ("9001", "refused")],
)
def test_keys_that_nobody_gave_up_are_never_wiped(tmp_path, second, typed, ended):
    """Neither --yes nor the consent to the reset stands for the sentence, proven in part or not."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        before = kept(shop, "1-1")
        answers = wishes(
            second=second, second_pin=USER, confirm_second="9002", confirm_reset="9001"
        )
        answers["confirm_unproven"] = typed
        view = shop.run(RESET, attended=False, yes=True, answers=answers)

        assert view.verdict == ended, view.ended
        assert sent(shop, INITIALIZE) == []
        assert kept(shop, "1-1") == before


def test_a_script_that_types_the_last_four_has_consented_and_is_warned(tmp_path):
    """It cannot be asked; what it may have cost stands in the verdict."""
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        view = shop.run(RESET, attended=False, answers=wishes(confirm_reset="9001"))
        log = " ".join(path.read_text() for path in shop.state.root.rglob("journal.jsonl"))

        assert view.verdict == "repaired", view.ended
        said = ("proven nowhere else", "NO RESTORE IS PROVEN: 1 key may be lost for ever")
        assert [words for words in said if words not in str(view.ended.warnings)] == []
        assert [words for words in said if words not in log] == []
        assert '"event": "Warned"' in log or '"event":"Warned"' in log


def test_a_device_without_keys_is_initialised_without_a_second_one(tmp_path):
    with workshop(tmp_path, bench(card(setup=initialised))) as shop:
        view = shop.run(RESET, attended=False, answers=wishes(confirm_reset="9001"))

        assert view.verdict == "repaired", view.ended


def test_a_second_device_that_is_not_there_or_not_confirmed_stops_it(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        gone = shop.run(RESET, answers=wishes(second="1-9"))
        wrong = shop.run(
            RESET,
            attended=False,
            answers=wishes(second="1-2", second_pin=USER, confirm_second="9001"),
        )

        assert (gone.verdict, wrong.verdict) == ("refused", "refused")
        assert sent(shop, INITIALIZE) == []


def test_a_second_device_is_the_runs_own_while_it_lasts(tmp_path):
    """Nobody else may begin on it; afterwards everybody may."""
    refusals = []
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:

        def try_it(message):
            view = shop.bench.runs().get(message.get("run", ""))
            if view and view.question and view.question.id == "confirm_second" and not refusals:
                try:
                    shop.bench.do(lambda: shop.bench.must_be_free("1-2"))
                except Exception as error:  # noqa: BLE001 - which one it is, is asserted
                    refusals.append(error)

        shop.bench.listen(try_it)
        shop.run(RESET, answers=wishes(second="1-2", second_pin=USER))

        assert [type(error).__name__ for error in refusals] == ["GateClosed"]
        assert shop.run("smartcardhsm.check", "1-2").verdict == "no fault found"


def test_an_error_after_a_reset_that_was_done_is_no_failure(tmp_path):
    lost = Fault(INITIALIZE, Outcome.GARBLED)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(lost,)))) as shop:
        view = shop.run(RESET, answers=wishes())

        assert view.verdict == "repaired", view.ended
        assert of(shop).applet.keys == {}


def test_a_reset_that_was_said_and_not_done_is_no_success(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        monkeypatch.setattr(of(shop).applet, "_initialize", lambda command: b"")
        view = shop.run(RESET, answers=wishes())

        assert view.verdict == "refused"
        assert "still lists" in view.ended.sentence


def test_the_name_is_changed_and_the_rest_of_the_file_kept():
    """EF.TokenInfo of somebody else's card."""
    token = bytes.fromhex(
        "302f020106040800000000000000000c0d506f6c2048656e6172656a6f73800d536d617274436172642d48534d"
        "03020430"
    )
    found = tlv.parse(tlv.bare(0x30, renamed(token, "bench 7")))

    assert [part.tag for part in found] == [0x02, 0x04, 0x0C, 0x80, 0x03]
    assert found[3].value == b"bench 7"
    assert found[2].value == b"Pol Henarejos"


def test_what_initialize_sets_is_in_no_repr():
    data = InitData(b"12345678", b"geheim1", 3, 1)

    assert "geheim" not in repr(data)
    assert data.encode().hex() == (
        "80020001" + "810767656865696d31" + "82083132333435363738" + "910103" + "920101"
    )


# --- rekey --------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["rsa-2048", "ec-p256", "ec-brainpool256", "ec-p384"])
def test_a_new_key_is_proven_by_its_own_request(tmp_path, algorithm):
    assert algorithm in ALGORITHMS
    with workshop(tmp_path, bench(card())) as shop:
        answers = {"algorithm": algorithm, "label": "mail", "pin": USER}
        view = shop.run(REKEY, answers=answers)
        pem = (shop.state.artefacts(view.run) / "key-01.csr.pem").read_bytes()
        request = x509.load_pem_x509_csr(pem)

        assert view.verdict == "repaired", view.ended
        assert request.is_signature_valid
        assert request.public_key() == of(shop).applet.keys[1].private.public_key()
        assert of(shop).applet.keys[1].algorithms == b""
        assert shop.run("smartcardhsm.check").verdict == "no fault found"


def test_an_algorithm_list_is_given_when_asked_for_and_its_trap_is_said(tmp_path):
    with workshop(tmp_path, bench(card(firmware=HSM_3_1))) as shop:
        answers = {"algorithm": "ec-p256", "label": "mail", "pin": USER, "algorithm_list": "yes"}
        view = shop.run(REKEY, answers=answers)

        assert view.verdict == "repaired", view.ended
        assert any("3.1" in words for words in view.ended.warnings)
        assert of(shop).applet.keys[1].algorithms


def test_a_taken_number_is_refused_before_anything_is_made(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        answers = {"algorithm": "ec-p256", "label": "mail", "pin": USER, "keys": "1"}
        view = shop.run(REKEY, answers=answers)

        assert view.verdict == "refused"
        assert sent(shop, GENERATE) == []


# --- unblock ------------------------------------------------------------------------------------


def blocked(made):
    made = with_ec(made)
    made.applet.pins.user.tries = 0
    return made


def test_a_blocked_pin_is_usable_again_and_the_keys_are_as_they_were(tmp_path):
    with workshop(tmp_path, bench(card(setup=blocked))) as shop:
        answers = {"so_pin_format": HEX, "so_pin": SO, "new_pin": NEW}
        view = shop.run(UNBLOCK, answers=answers)

        assert view.verdict == "repaired", view.ended
        assert set(of(shop).applet.keys) == {1}
        assert of(shop).applet.pins.user.value == NEW.encode()


def test_a_wrong_so_pin_is_counted_and_said(tmp_path):
    with workshop(tmp_path, bench(card(setup=blocked))) as shop:
        answers = {"so_pin_format": TEXT, "so_pin": "00000000", "new_pin": NEW}
        view = shop.run(UNBLOCK, answers=answers)

        assert view.verdict == "refused"
        assert "14 tries left" in view.ended.sentence


def test_where_the_option_forbids_it_nothing_is_tried(tmp_path):
    def setup(made):
        made = initialised(made)
        made.applet.pins.set(PIN, bytes.fromhex(SO), 3, 0)
        return with_key(made, 1, "k")

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        answers = {"so_pin_format": HEX, "so_pin": SO, "new_pin": NEW}
        view = shop.run(UNBLOCK, answers=answers)

        assert view.verdict == "refused"
        assert "cannot reset" in view.ended.sentence
        assert so_tries(shop) == 15
