"""Files and keys of cards that are not ours: what they hold, what they take, what they make.

The rule: each test is a card that differs in one thing from the simulated ones.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.families.smartcardhsm import curves
from console.families.smartcardhsm.description import Description
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import (
    initialised,
    with_key,
)
from console.families.smartcardhsm.simulator_apdu import Denied, Status
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_keys import Key
from console.families.smartcardhsm.simulator_rows import HSM_2_6, HSM_3_4
from tests.families.smartcardhsm.others import (
    CHECK,
    GENERATE,
    REKEY,
    RESTORE,
    client,
    said,
)
from tests.families.smartcardhsm.restoring import keys_of, waiting
from tests.families.smartcardhsm.sticks import (
    USER,
    backed_up,
    bench,
    card,
    fresh,
    of,
    quick,
    sealed,
    with_ec,
)
from tests.harness import workshop

__all__ = ["quick"]


# --- files ----------------------------------------------------------------------------------------


def test_a_card_that_gives_less_than_was_asked_for_is_read_to_the_end(monkeypatch):
    """200 bytes an answer, and 9000 instead of 6282 at the end."""
    made = with_ec(card(setup=fresh)())
    whole = made.applet.files.content(0xCE01)

    def less(command):
        start = int.from_bytes(command.data[2:4], "big")
        if start > len(made.applet.files.content(command.parameters)):
            raise Denied(Status.OUTSIDE)
        return made.applet.files.content(command.parameters)[start : start + 200], Status.DONE

    monkeypatch.setattr(made.applet, "_read", less)
    assert len(whole) > 400
    assert client(made).read(0xCE01) == whole


def test_a_certificate_that_outlived_its_key_is_no_fault_and_a_description_is(tmp_path):
    def outlived(kinds):
        def setup(made):
            made = with_ec(made)
            del made.applet.keys[1]
            for kind in kinds:
                made.applet.files.delete(kind << 8 | 1)
            return made

        return setup

    orphan, lost = outlived((0xCC, 0xC4)), outlived((0xCC,))
    with workshop(tmp_path, bench(card(setup=orphan), card("DENK0109002", setup=lost))) as shop:
        assert shop.run(CHECK).verdict == "no fault found"
        view = shop.run(CHECK, "1-2")
        assert view.verdict == "unfinished"
        assert "the key is not there" in view.ended.sentence


def test_a_certificate_that_was_written_in_part_is_a_fault_and_mended(tmp_path):
    """Pulled between its first piece and its second."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        answers = {"backup": str(files), "pin": USER}
        shop.run(RESTORE, "1-2", answers=answers)
        held = of(shop, "1-2").applet.files
        whole = held.content(0xCE01)
        held.put(0xCE01, whole[:400])

        assert "in part only" in shop.run(CHECK, "1-2").ended.sentence
        assert shop.run(RESTORE, "1-2", answers=answers).verdict == "repaired"
        assert held.content(0xCE01) == whole


PLACED = "a10a3008300204000202"
"""Where the key is (nowhere in particular), then its size."""
NAMELESS = bytes.fromhex("30173000300704010103020274" + PLACED + "0800")
ODD_LABEL = bytes.fromhex("a01c30050c03fffe41300704010203020780" + PLACED + "0100")


def test_descriptions_of_other_programs_are_descriptions():
    """Without a label, which PKCS#15 makes optional; with one that is no UTF-8."""
    nameless, odd = Description.parse(NAMELESS), Description.parse(ODD_LABEL)

    assert (nameless.kind, nameless.label, nameless.bits) == ("RSA", "", 2048)
    assert (odd.kind, odd.bits) == ("EC", 256)
    assert odd.label.endswith("A")
    assert Description.parse(bytes.fromhex("a00d30003003040101" + "a1043002a105")).bits == 0


def test_a_nameless_description_is_not_taken_for_the_certificate(tmp_path):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        files = backed_up(shop, tmp_path / "backup")
    file = KeyFile.parse("x", next(files.iterdir()).read_bytes())
    again = KeyFile.parse("web.bin", replace(file, about=NAMELESS).encode())

    assert (again.about, again.certificate) == (NAMELESS, file.certificate)
    assert again.label == "web.bin"


def test_a_file_that_the_card_keeps_to_itself_does_not_end_the_check(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        applet = of(shop).applet
        read = applet._read

        def guarded(command):
            if command.parameters == 0xCE01:
                raise Denied(Status.NOT_VERIFIED)
            return read(command)

        monkeypatch.setattr(applet, "_read", guarded)
        assert shop.run(CHECK).verdict == "no fault found"


# --- importing ------------------------------------------------------------------------------------


def test_a_card_without_a_transfer_file_takes_the_blob_in_one_command(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002", HSM_2_6))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        applet = of(shop, "1-2").applet
        update = applet._update

        def refusing(command):
            if command.parameters == 0x2F10:
                raise Denied(Status.NO_SUCH_FILE)
            return update(command)

        monkeypatch.setattr(applet, "_update", refusing)
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended


def test_what_a_longer_blob_left_in_the_transfer_file_is_cleared(tmp_path, monkeypatch):
    """A card that writes over the file and does not cut it."""
    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        held = of(shop, "1-2").applet.files
        held.put(0x2F10, b"\xaa" * 1200)
        write = held.write

        def over(number, offset, data, room):
            if number != 0x2F10 or number not in held:
                return write(number, offset, data, room)
            old = held.content(number)
            return held.put(number, old[:offset] + data + old[offset + len(data) :])

        monkeypatch.setattr(held, "write", over)
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended


def test_a_kind_of_key_that_a_line_does_not_know_is_not_called_a_changed_file(tmp_path, quick):
    """RSA 3072 on 2.6: 6A80, as for a changed file; the shares say that the file is whole."""

    def large(made):
        return with_key(initialised(made), 1, "large", rsa_bits=3072)

    target = card("DENK0109002", HSM_2_6, setup=waiting(1))
    with workshop(tmp_path, bench(card(setup=large), target)) as shop:
        files = backed_up(shop, tmp_path / "backup")
        share = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"backup": str(files), "shares": str(share), "share_passwords": "geheim"}
        view = shop.run(RESTORE, "1-2", answers=answers | {"pin": USER})

        assert view.verdict == "refused"
        assert "whose seal is whole" in view.ended.sentence
        assert "changed" not in said(view)


@pytest.mark.parametrize(
    "listed", [b"\x74\x92", b"\x80\x92", b"\x71\x92"], ids=["SHA-384", "ECDH", "SHA-1"]
)
def test_a_restricted_key_is_proven_by_what_it_may_do(tmp_path, listed):
    setup = lambda made: with_key(initialised(made), 1, "k", algorithms=listed)  # noqa: E731
    with workshop(tmp_path, bench(card(setup=setup), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert view.ended.proof
        assert view.ended.warnings == ()


@pytest.mark.parametrize("listed", [b"\x43\x92", b"\x21\x92", b"\x31\x92"])
def test_a_restricted_rsa_key_is_proven_as_well(tmp_path, listed):
    def setup(made):
        return with_key(initialised(made), 1, "k", algorithms=listed, rsa_bits=2048)

    with workshop(tmp_path, bench(card(setup=setup), card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.ended.proof, view.ended


def test_a_key_that_is_another_is_not_proven_by_deciphering(tmp_path):
    """The restricted key at that number is of another pair."""
    from console.families.smartcardhsm import proof

    made = with_key(card()(), 1, "k", algorithms=b"\x80\x92")
    hsm = client(made)
    hsm.verify(USER.encode())

    assert proof.proven(hsm, 1, made.applet.keys[1].private.public_key())
    assert not proof.proven(hsm, 1, ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_signature_that_is_r_and_s_side_by_side_is_one(tmp_path, monkeypatch):
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    with workshop(tmp_path, bench(card())) as shop:
        applet = of(shop).applet
        use = applet._use

        def joined(command):
            r, s = decode_dss_signature(use(command))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        monkeypatch.setattr(applet, "_use", joined)
        answers = {"algorithm": "ec-p256", "label": "mail", "pin": USER}
        assert shop.run(REKEY, answers=answers).verdict == "repaired"


@pytest.mark.parametrize("named", [ec.SECP224R1(), ec.SECP256K1(), ec.BrainpoolP512R1()])
def test_a_key_of_any_curve_is_matched_and_not_imported_twice(tmp_path, named):
    def setup(made):
        made = with_key(initialised(made), 1, "k")
        made.applet.keys[1] = Key(ec.generate_private_key(named))
        from console.families.smartcardhsm import simulator_cvc as cvc

        device = cvc.device_key("DENK0109001")
        request = cvc.request(made.applet.keys[1].private, b"UT1", b"UT2", b"UT3", device)
        made.applet.files.put(0xCE01, request)
        return made

    twice_restored(tmp_path, card(setup=setup), proven=True)


def test_a_key_of_a_curve_that_is_not_known_here_is_matched_by_its_certificate(
    tmp_path, monkeypatch
):
    """As of one that the library lacks: brainpoolP320r1."""
    monkeypatch.setattr(curves, "CURVES", ())
    monkeypatch.setattr(curves, "OLDER", ())
    twice_restored(tmp_path, card(setup=with_ec), proven=False)


def twice_restored(tmp_path, source, proven: bool) -> None:
    with workshop(tmp_path, bench(source, card("DENK0109002"))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        for _ in range(2):
            view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
            assert view.verdict == ("repaired" if proven else "unfinished"), view.ended
            assert keys_of(shop, "1-2") == {1}
            assert bool(view.ended.proof) is proven


# --- a new key ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [HSM_2_6, HSM_3_4], ids=lambda row: row.name)
@pytest.mark.parametrize("algorithm", ["ec-p256", "rsa-2048"])
def test_a_new_key_whose_answer_was_lost_is_finished_all_the_same(tmp_path, row, algorithm):
    """3.4 keeps the request itself; of 2.6 the public half is told by the key's own answers."""
    lost = Fault(GENERATE, Outcome.GARBLED)
    with workshop(tmp_path, bench(card(firmware=row, faults=(lost,)))) as shop:
        answers = {"algorithm": algorithm, "label": "mail", "pin": USER}
        view = shop.run(REKEY, answers=answers)

        assert view.verdict == "repaired", view.ended
        assert of(shop).faults.seen == [1]
        assert shop.run(CHECK).verdict == "no fault found"


def small(made):
    """A key of each kind whose commands are long."""
    made = with_key(initialised(made), 1, "rsa", rsa_bits=4096)
    return with_key(made, 2, "ec")


def test_the_smallest_buffer_of_these_makes_is_never_overrun(tmp_path):
    """478 bytes a command, as on a memory card: files, blobs and proofs come in pieces."""
    narrow = replace(HSM_3_4, longest=478)
    source = card(firmware=narrow, setup=small)
    with workshop(tmp_path, bench(source, card("DENK0109002", narrow))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})
        assert view.verdict == "repaired", view.ended
        assert len(view.ended.proof) == 2

        for algorithm in ("ec-p256", "ec-p384", "ec-p521", "ec-brainpool512"):
            answers = {"algorithm": algorithm, "label": "mail", "pin": USER}
            assert shop.run(REKEY, "1-2", answers=answers).verdict == "repaired", algorithm
        assert max(len(apdu) for apdu in shop.bus.sent) > 470


def test_a_device_certificate_that_cannot_be_read_is_said_and_ends_nothing(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        applet = of(shop).applet
        read = applet._read

        def guarded(command):
            if command.parameters == 0x2F02:
                raise Denied(Status.NOT_VERIFIED)
            return read(command)

        monkeypatch.setattr(applet, "_read", guarded)
        view = shop.run(CHECK)

        assert view.verdict == "no fault found", view.ended
        assert "no device certificate" in said(view)
