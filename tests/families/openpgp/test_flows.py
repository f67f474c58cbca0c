"""The flows on simulated cards of every maker; client and simulator were written apart."""

from __future__ import annotations

import subprocess

import pysequoia
import pytest

from console.events import Told, WaitStarted
from console.families.openpgp import FAMILY
from console.families.openpgp.simulator_faults import Fault, Kind
from tests.families.openpgp.bench import (
    ADMIN,
    BLOCKED,
    BY_NAME,
    KEYS,
    PASSPHRASE,
    RESETTABLE,
    ROWS,
    bench,
    events,
    sent,
    shop_with,
)

GNUK = BY_NAME["Gnuk 1.2"]
ZEIT = BY_NAME["ZeitControl 3.3"]
OPCARD = BY_NAME["opcard (Nitrokey 3)"]
GENERATE, VERIFY, TERMINATE, ACTIVATE, IMPORT = 0x47, 0x20, 0xE6, 0x44, 0xDB
FIRST_RUN = {"slots": "sign"}
by_name = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
resettable = pytest.mark.parametrize("row", RESETTABLE, ids=lambda row: row.name)


def kept(shop, view, name: str) -> bytes:
    return (shop.state.artefacts(view.run) / name).read_bytes()


@by_name
def test_a_check_spends_no_pin_try_and_changes_nothing(tmp_path, row):
    """No VERIFY, no CHANGE, no PUT: reads only."""
    with shop_with(tmp_path, bench(row)) as shop:
        view = shop.run("openpgp.check")

        assert (view.verdict, view.ended.damage) == ("no fault found", "nothing written")
        assert {apdu[1] for apdu in shop.bus.sent} <= {0xA4, 0xCA, 0x47, 0xC0}
        assert all(apdu[2] == 0x81 for apdu in sent(shop, GENERATE))
        assert any("serial 00006FDA" in fact for fact in view.ended.proof)


@by_name
def test_new_keys_are_made_named_proven_and_handed_over(tmp_path, row):
    """Three slots of every maker, as the card is set; the certificate is one that Sequoia takes."""
    with shop_with(tmp_path, bench(row)) as shop:
        view = shop.run("openpgp.rekey")
        found = pysequoia.Cert.from_bytes(kept(shop, view, "certificate.asc"))
        checked = shop.run("openpgp.check")

        assert (view.verdict, view.ended.damage) == ("repaired", "nothing written")
        assert [str(name) for name in found.user_ids] == ["OpenPGP card 00006FDA"]
        assert any(found.fingerprint.upper() in fact for fact in checked.ended.proof)
        assert checked.verdict == "no fault found"
        assert kept(shop, view, "auth.pub").startswith(b"ssh-rsa ")
        assert len([apdu for apdu in sent(shop, GENERATE) if apdu[2] == 0x80]) == 3


@pytest.mark.parametrize("word", ["ed25519", "nistp256", "rsa4096"])
@pytest.mark.parametrize("row", [OPCARD, ZEIT, GNUK], ids=lambda row: row.name)
def test_an_algorithm_that_the_card_offers_is_set_and_made(tmp_path, row, word):
    """And one that it has not, or cannot make, is refused before a PIN goes out."""
    slots = "sign" if word == "rsa4096" else ""  # one such key takes seconds to be found
    given = answers(algorithm=word, slots=slots)
    with shop_with(tmp_path, bench(row), algorithm=word) as shop:
        view = shop.run("openpgp.rekey", attended=False, answers=given)
        offered = view.verdict == "repaired"

        if offered:
            want = {"ed25519": ["ed25519", "x25519", "ed25519"], "rsa4096": ["rsa4096"]}
            found = [word_of(fact) for fact in view.ended.proof if "fingerprint" in fact]
            assert found == want.get(word, [word] * 3)
        else:
            assert (view.verdict, view.ended.reason) == ("refused", "gate")
            assert sent(shop, VERIFY) == []
        assert offered or (row, word) in ((GNUK, "rsa4096"), (ZEIT, "ed25519"))


def answers(**more: str) -> dict[str, str]:
    """What a script brings along for a rekey."""
    given = {"pin": "123456", "admin_pin": "12345678", "confirm_replace": "yes", "slots": ""}
    return given | more


def word_of(fact: str) -> str:
    return fact.partition(": ")[2].partition(",")[0]


@resettable
@pytest.mark.parametrize("past", [(), (ADMIN, "0047800002b60000"), BLOCKED], ids=len)
def test_a_reset_works_from_every_state(tmp_path, row, past):
    """Fresh, used, both PINs blocked: proven by counters and empty slots."""
    with shop_with(tmp_path, bench(row, *past)) as shop:
        view = shop.run("openpgp.reset")

        assert (view.verdict, view.ended.damage) == ("repaired", "nothing written")
        assert "user 123456, admin 12345678" in view.ended.advice
        assert "user PIN 3, admin PIN 3" in view.ended.proof[0]


@resettable
def test_a_reset_that_stopped_half_way_is_finished_by_one_command(tmp_path, row):
    """ACTIVATE alone: nothing is asked, since nothing is left to lose."""
    with shop_with(tmp_path, bench(row, *BLOCKED, "00e60000")) as shop:
        view = shop.run("openpgp.reset", attended=row.name.startswith("pico"))

        assert view.verdict == "repaired"
        assert bool(sent(shop, VERIFY)) == row.name.startswith("pico")


def test_a_card_without_a_reset_is_not_blocked_first(tmp_path):
    """A Gnuk built without life cycle keeps its PINs and its keys."""
    row = BY_NAME["Gnuk 1.2 without life cycle"]
    with shop_with(tmp_path, bench(row, ADMIN, "0047800002b60000")) as shop:
        view = shop.run("openpgp.reset")
        assert (view.verdict, sent(shop, VERIFY), sent(shop, TERMINATE)) == ("refused", [], [])

    with shop_with(tmp_path / "2", bench(row, *BLOCKED)) as shop:
        view = shop.run("openpgp.reset")
        assert view.verdict == "beyond repair"
        assert "ACTIVATE FILE answers 6D00." in view.ended.proof


KDF = bytes.fromhex(
    "81010382010883040001000084080102030405060708850811121314151617188608212223242526272"
    "88720" + "00" * 32 + "8820" + "00" * 32
)


def kdf_setup() -> str:
    """A KDF object whose initial hashes are those of the default PINs."""
    from console.families.openpgp.kdf import Kdf, Pin

    empty = Kdf.parse(KDF)
    user, admin = empty.wire(Pin.SIGN, "123456"), empty.wire(Pin.ADMIN, "12345678")
    value = KDF[:-68] + b"\x87\x20" + user + b"\x88\x20" + admin
    return f"00da00f9{len(value):02x}" + value.hex()


@pytest.mark.parametrize("row", [GNUK, ZEIT, OPCARD], ids=lambda row: row.name)
@pytest.mark.parametrize("flow", ["reset", "rekey", "check"])
def test_a_card_that_takes_digests_of_its_pins_gets_them(tmp_path, row, flow):
    """The KDF object is read before the first PIN; no try is lost on the way."""
    with shop_with(tmp_path, bench(row, ADMIN, kdf_setup())) as shop:
        view = shop.run(f"openpgp.{flow}")

        assert view.verdict in ("repaired", "no fault found"), view.ended
        if flow == "rekey":
            assert all(len(apdu) == 37 for apdu in sent(shop, VERIFY))


def test_an_orphan_is_adopted_and_not_made_again(tmp_path):
    """The host died before the fingerprint: the same key, named now."""
    with shop_with(tmp_path, "openpgp-orphan", slots="sign") as shop:
        before = shop.run("openpgp.check")
        view = shop.run("openpgp.rekey")
        after = shop.run("openpgp.check")

        assert "never given its fingerprint" in before.ended.sentence
        assert view.verdict == "repaired"
        assert "1 adopted" in view.ended.sentence
        assert [apdu for apdu in sent(shop, GENERATE) if apdu[2] == 0x80] == []
        assert after.verdict == "no fault found"


@pytest.mark.parametrize("backup", ["rsa2048.asc", "ed25519.asc"])
@by_name
def test_the_keys_of_a_backup_come_back_with_their_old_names(tmp_path, row, backup):
    """gpg's own export, with its passphrase; a card that has not the curve says so first."""
    with shop_with(tmp_path, bench(row), backup=str(KEYS / backup), passphrase=PASSPHRASE) as shop:
        view = shop.run("openpgp.restore")
        if view.verdict == "refused":
            assert backup == "ed25519.asc"
            assert "The card has no" in view.ended.sentence
            assert sent(shop, VERIFY) == sent(shop, IMPORT) == []
            return
        again = shop.run("openpgp.restore")
        names = [fact for fact in view.ended.proof if "fingerprint" in fact]

        assert (view.verdict, again.verdict) == ("repaired", "repaired")
        assert len(names) == 3
        assert len([apdu for apdu in sent(shop, IMPORT) if not apdu[0] & 0x10]) == 3
        if backup.startswith("ed"):
            assert "40BB827D79584E0826B3F4664234D753020179BF" in names[0]


@by_name
def test_a_blocked_user_pin_is_freed_by_the_admin_pin(tmp_path, row):
    """No key is touched; the new PIN is taken."""
    past = (ADMIN, "0047800002b60000", *BLOCKED[:3])
    with shop_with(tmp_path, bench(row, *past), new_pin="24681357924680") as shop:
        view = shop.run("openpgp.unblock")
        assert view.verdict == "repaired", view.ended
        assert "user PIN 3" in view.ended.proof[0]


def test_a_reset_code_frees_it_without_the_admin_pin(tmp_path):
    """Even where the admin PIN is blocked."""
    code = "00da00d308" + b"87654321".hex()
    past = (ADMIN, "0047800002b60000", code, *BLOCKED)
    given = {"reset_code": "87654321", "new_pin": "24681357"}
    with shop_with(tmp_path, bench(ZEIT, *past), **given) as shop:
        view = shop.run("openpgp.unblock")
        assert view.verdict == "repaired", view.ended
        assert {apdu[3] for apdu in sent(shop, VERIFY)} == {0x82}


def test_a_gnuk_without_keys_says_why_its_pin_cannot_be_changed(tmp_path):
    """Before a PIN goes out."""
    with shop_with(tmp_path, bench(GNUK, *BLOCKED[:3]), new_pin="24681357") as shop:
        view = shop.run("openpgp.unblock")
        assert (view.verdict, sent(shop, VERIFY)) == ("refused", [])


def test_what_a_gnuk_does_to_its_pin_is_said_beforehand_and_done_with(tmp_path):
    """A PIN of the customer's own, which is the admin PIN, too, is the default again."""
    own = "0024008110" + b"123456".hex() + b"9876543210".hex()
    past = (ADMIN, "0047800002b60000", own)
    given = {"pin": "9876543210", "admin_pin": "9876543210"}
    with shop_with(tmp_path, bench(GNUK, *past), **given) as shop:
        view = shop.run("openpgp.rekey")
        told = [event.sentence for event in events(shop, view.run, Told)]

        assert view.verdict == "repaired"
        assert any("user PIN is 123456 again" in sentence for sentence in told)
        assert any("123456" in line for line in view.ended.to_do)


def test_the_field_case_has_no_fault_and_its_card_gets_its_time(tmp_path):
    """Case 4: the host's gpg is the cause; here the same card makes its key in 105 s."""
    with shop_with(tmp_path, "case-4", slots="sign") as shop:
        checked = shop.run("openpgp.check")
        began = shop.clock.monotonic()
        view = shop.run("openpgp.rekey")
        waits = [wait.what for wait in events(shop, view.run, WaitStarted)]

        assert checked.verdict == "cause elsewhere"
        assert "The cause is the host's gpg" in checked.ended.sentence
        assert view.verdict == "repaired"
        assert shop.clock.monotonic() - began > 100
        assert any("20 s to 2 min on this card" in what for what in waits)


@pytest.mark.parametrize("word", [0x6985, 0x6F00, 0x6581])
def test_an_error_after_success_is_not_a_failure(tmp_path, word):
    """ACTIVATE is answered with an error by a card that is as new all the same."""
    fault = Fault(Kind.GARBLED, ins=ACTIVATE)
    with shop_with(tmp_path, bench(ZEIT, *BLOCKED, faults=(fault,))) as shop:
        assert shop.run("openpgp.reset").verdict == "repaired"


def test_a_status_word_alone_is_no_reset(tmp_path):
    """TERMINATE and ACTIVATE say 9000 and do nothing: not done, and said."""
    lies = (Fault(Kind.REFUSED, ins=TERMINATE, word=0x9000, times=9),)
    lies += (Fault(Kind.REFUSED, ins=ACTIVATE, word=0x9000, times=9),)
    scenario = bench(ZEIT, ADMIN, "0047800002b60000", faults=lies)
    with shop_with(tmp_path, scenario, retry="stop") as shop:
        view = shop.run("openpgp.reset")
        assert view.verdict == "unfinished"
        assert "says that it was reset, and was not" in view.ended.sentence


def test_a_generation_that_only_says_so_is_none(tmp_path):
    """9000, and the slot shows nothing new."""
    lie = Fault(Kind.REFUSED, ins=GENERATE, parameters=0x8000, word=0x9000)
    with shop_with(tmp_path, bench(ZEIT, faults=(lie,)), slots="sign") as shop:
        view = shop.run("openpgp.rekey")
        assert (view.verdict, view.committed) == ("unfinished", True)
        assert "shows none that is new" in view.ended.sentence


def test_a_key_whose_answer_was_lost_is_found_all_the_same(tmp_path):
    """The card made it and answered rubbish; after a reset it shows the key."""
    fault = Fault(Kind.GARBLED, ins=GENERATE, parameters=0x8000)
    with shop_with(tmp_path, bench(OPCARD, faults=(fault,)), slots="sign") as shop:
        view = shop.run("openpgp.rekey")
        assert view.verdict == "repaired", view.ended


@pytest.mark.parametrize("product", [mode.name for mode in FAMILY.modes])
def test_every_product_says_why_it_has_no_firmware_to_write(product):
    """A table with a sentence for each."""
    from console.families.openpgp.products import CARD, PRODUCTS

    known = {one.mode: one for one in (*PRODUCTS, CARD)}
    assert len(known[product].flash) > 40


def test_a_flash_sends_nothing(tmp_path):
    """Not even a SELECT."""
    with shop_with(tmp_path, "case-4") as shop:
        view = shop.run("openpgp.flash")
        assert (view.verdict, shop.bus.sent) == ("refused", [])
        assert "No firmware is written here" in view.ended.sentence


def test_gpg_takes_the_certificate(tmp_path):
    """The field's own host checks every signature that the card made."""
    with shop_with(tmp_path, bench(OPCARD), algorithm="ed25519") as shop:
        view = shop.run("openpgp.rekey")
        made = kept(shop, view, "certificate.asc")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--no-autostart"]
    try:
        subprocess.run([*gpg, "--import"], input=made, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no gpg here")
    listed = subprocess.run(
        [*gpg, "--with-colons", "--check-sigs"], check=True, capture_output=True, text=True
    ).stdout

    assert listed.count("sig:!") == 3
    assert [line.split(":")[11] for line in listed.splitlines() if line.startswith("sub")] == [
        "e",
        "a",
    ]
