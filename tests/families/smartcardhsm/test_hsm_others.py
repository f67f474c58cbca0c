"""Cards that are not ours: other makers', other lines, other manners; what they say is understood.

The rule: each test is a card that differs in one thing from the simulated ones.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from console.families.smartcardhsm import contents, curves
from console.families.smartcardhsm.chain import Trust, examine
from console.families.smartcardhsm.client import SO, SmartCardHsm
from console.families.smartcardhsm.cvc import parse
from console.families.smartcardhsm.description import Description
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import (
    OTHER_SHARE,
    SHARE,
    SO_PIN,
    initialised,
    with_key,
)
from console.families.smartcardhsm.simulator_apdu import Denied, Status
from console.families.smartcardhsm.simulator_blob import Domain
from console.families.smartcardhsm.simulator_cvc import ROOT, device_chain, root_certificate
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_keys import Key
from console.families.smartcardhsm.simulator_rows import HSM_2_6, HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.captured import Captured
from tests.families.smartcardhsm.sticks import (
    KCV,
    NEW,
    USER,
    backed_up,
    bench,
    card,
    fresh,
    kept,
    of,
    quick,
    sealed,
    with_ec,
)
from tests.families.smartcardhsm.sticks import (
    SO as SO_HEX,
)
from tests.families.smartcardhsm.test_hsm_restore import keys_of, waiting
from tests.harness import workshop

CHECK, BACKUP, RESTORE, RESET, REKEY, UNBLOCK, FLASH = (
    f"smartcardhsm.{name}"
    for name in ("check", "backup", "restore", "reset", "rekey", "unblock", "flash")
)
UNWRAP, SHARES, GENERATE, UPDATE = 0x74, 0x52, 0x46, 0xD7
OTHER_KCV = Domain(1, 0, OTHER_SHARE).check_value.hex()
BY_SO_PIN = {"so_pin_format": "16 hex digits", "so_pin": SO_HEX, "new_pin": NEW}
WISHES = BY_SO_PIN | {"shares": "1"}
__all__ = ["quick"]


def said(view) -> str:
    words = " ".join(f"{told.sentence} {told.advice}" for told in view.said)
    return f"{words} {view.ended.sentence} {view.ended.advice} {view.ended.warnings}"


class Line:
    """A card line straight to a simulated card."""

    def __init__(self, made) -> None:
        self.card = made

    def transmit(self, apdu: bytes) -> bytes:
        self.card.begin(apdu)
        return self.card.work(0.0)


def client(made) -> SmartCardHsm:
    return SmartCardHsm.open(Line(made))


# --- who it is ------------------------------------------------------------------------------------


def test_an_fcp_inside_an_fci_is_read_as_well():
    class Wrapped(Line):
        def transmit(self, apdu: bytes) -> bytes:
            answer = super().transmit(apdu)
            if apdu[1] != 0xA4:
                return answer
            return tlv.encode(0x6F, answer[:-2]) + answer[-2:]

    assert str(SmartCardHsm.open(Wrapped(card()())).version) == "3.4"


@pytest.mark.parametrize("status", [0x6283, 0x6285])
def test_a_terminated_application_is_said_to_be_one(tmp_path, status):
    ended = Fault(0xA4, Outcome.REFUSED, status=status, times=99)
    with workshop(tmp_path, bench(card(faults=(ended,)))) as shop:
        view = shop.run(CHECK)

        assert "terminated" in view.ended.sentence
        assert "another device" in view.ended.advice


def test_a_version_of_no_line_that_is_known_is_promised_nothing(tmp_path):
    """6.6 as an emulation says it: the portal of this vendor is none of its."""
    with workshop(tmp_path, bench(card(firmware=replace(HSM_3_4, major=6, minor=6)))) as shop:
        text = said(shop.run(CHECK)) + said(shop.run(FLASH))

        assert "6.6" in text
        assert "portal" not in text
        assert "no line of the Nitrokey HSM" in text


def test_a_line_after_3_is_this_vendors(tmp_path):
    with workshop(tmp_path, bench(card(firmware=replace(HSM_3_4, major=4, minor=0)))) as shop:
        assert "line of the Nitrokey HSM 2" in said(shop.run(CHECK))


def test_an_issuer_that_stands_before_the_device_is_no_broken_chain():
    data, today = device_chain("DENK0109001"), __import__("datetime").date(2026, 1, 1)
    device, issuer = (known.raw for known in parse(data))
    anchor = parse(root_certificate(ROOT))[0]

    assert examine(issuer + device, today, anchor).trust is Trust.VENDOR
    assert examine(issuer + device, today, anchor).serial == "DENK0109001"


def test_the_keys_of_somebody_elses_card_are_seen_with_what_lies_beside_them():
    """It lists a key and its description, and not the request that is there as well."""
    held = contents.read(SmartCardHsm.open(Captured("initialised")))

    assert [(key.label, key.whole) for key in held.keys] == [
        ("bench rsa", True),
        ("bench ec", True),
    ]
    assert [key.public.key_size for key in held.keys] == [2048, 256]


# --- PINs -----------------------------------------------------------------------------------------


def test_the_first_line_says_never_initialised_in_another_way():
    made = card(setup=fresh)()
    refused = Fault(0x20, Outcome.REFUSED, status=0x6984, times=99)
    made.faults = type(made.faults)((refused,))
    old = client(made)
    old.application = replace(old.application, version=replace(old.version, major=1))

    assert not old.pin().initialised
    assert not client(made).pin(SO).initialised
    assert client(made).pin().transport


@pytest.mark.parametrize(
    ("flow", "answers"), [(RESET, WISHES), (UNBLOCK, BY_SO_PIN), (BACKUP, {"pin": USER})]
)
def test_tries_that_are_not_told_are_not_spent(tmp_path, flow, answers):
    """Another status word than any that is known: check goes on, and nobody tries a PIN."""
    odd = Fault(0x20, Outcome.REFUSED, status=0x6A81, times=99)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(odd,)))) as shop:
        before = kept(shop, "1-1")
        assert "tries not told (6A81)" in said(shop.run(CHECK))
        view = shop.run(flow, answers=answers)

        assert view.verdict == "refused", view.ended
        assert "does not say how many tries" in view.ended.sentence
        assert kept(shop, "1-1") == before


def test_a_pin_of_sixteen_opens_and_no_new_one_is_that_long(tmp_path):
    long = "sechzehn-zeichen"

    def setup(made):
        made = with_ec(made)
        made.applet.pins.set(long.encode(), SO_PIN, 3, 1)
        return made

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        assert shop.run(BACKUP, answers={"pin": long}).verdict == "repaired"
        view = shop.run(RESET, answers=WISHES | {"new_pin": long})
        assert (view.verdict, "16 characters" in view.ended.sentence) == ("refused", True)


def transport(made):
    made = with_ec(made)
    made.applet.pins.set(b"117000", SO_PIN, 3, 0x02)
    return made


def test_a_transport_pin_is_told_and_changed_into_one_of_its_own(tmp_path):
    with workshop(tmp_path, bench(card(setup=transport))) as shop:
        checked = shop.run(CHECK)
        assert checked.verdict == "unfinished"
        assert "transport PIN" in checked.ended.sentence
        assert "unblock" in checked.ended.advice
        refused = shop.run(BACKUP, answers={"pin": "117000"})
        assert "unblock" in refused.ended.advice

        view = shop.run(UNBLOCK, answers={"pin": "117000", "new_pin": NEW})
        assert view.verdict == "repaired", view.ended
        assert keys_of(shop, "1-1") == {1}
        assert shop.run(BACKUP, answers={"pin": NEW}).verdict == "repaired"


def test_a_wrong_transport_pin_is_sent_once_and_counted(tmp_path):
    with workshop(tmp_path, bench(card(setup=transport))) as shop:
        view = shop.run(UNBLOCK, answers={"pin": "117001", "new_pin": NEW})

        assert view.verdict == "refused"
        assert "2 tries left" in view.ended.sentence
        assert of(shop).applet.pins.transport


def test_a_refused_so_pin_costs_the_user_pin_nothing(tmp_path):
    """The user PIN was not blocked: the new one is not tried out on it."""
    with workshop(tmp_path, bench(card(setup=with_ec))) as shop:
        wrong = BY_SO_PIN | {"so_pin": "3537363231383831"}
        view = shop.run(UNBLOCK, answers=wrong)

        assert view.verdict == "refused"
        assert "did not take that SO-PIN" in view.ended.sentence
        assert "14 tries left" in view.ended.sentence
        assert of(shop).applet.pins.user.tries == 3


def test_an_unblock_that_is_refused_for_another_reason_costs_nothing_either(tmp_path):
    no = Fault(0x2C, Outcome.REFUSED, status=0x6985)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(no,)))) as shop:
        view = shop.run(UNBLOCK, answers=BY_SO_PIN)

        assert (view.verdict, "6985" in view.ended.sentence) == ("refused", True)
        assert "was not tried" in view.ended.advice
        assert of(shop).applet.pins.user.tries == 3


def test_a_lost_answer_to_unblock_is_made_up_for_by_what_the_device_says(tmp_path):
    def setup(made):
        made = with_ec(made)
        made.applet.pins.user.tries = 0
        return made

    lost = Fault(0x2C, Outcome.GARBLED)
    with workshop(tmp_path, bench(card(setup=setup, faults=(lost,)))) as shop:
        view = shop.run(UNBLOCK, answers=BY_SO_PIN)

        assert view.verdict == "repaired", view.ended


def test_with_both_pins_blocked_reset_says_what_check_says(tmp_path):
    def setup(made):
        made = with_ec(made)
        made.applet.pins.user.tries = made.applet.pins.so.tries = 0
        return made

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        assert shop.run(RESET, answers=WISHES).verdict == "beyond repair"


def test_the_so_pin_of_a_fresh_device_is_asked_for_twice(tmp_path):
    with workshop(tmp_path, bench(card(setup=fresh), card())) as shop:
        asked = [
            sum(
                given.question == "so_pin"
                for given in shop.run(RESET, port, answers=WISHES).answers
            )
            for port in ("1-1", "1-2")
        ]
        assert asked == [2, 1]


# --- key shares and key domains -------------------------------------------------------------------


def two_domains(made):
    """Ours in the second domain; a key in it."""
    made = initialised(made, OTHER_SHARE)
    second = Domain(1, 1)
    second.add(SHARE)
    made.applet.domains.append(second)
    return made


def test_a_key_of_the_second_domain_is_restored_there(tmp_path):
    with workshop(
        tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=two_domains))
    ) as shop:
        files = backed_up(shop, tmp_path / "backup")
        view = shop.run(RESTORE, "1-2", answers={"backup": str(files), "pin": USER})

        assert view.verdict == "repaired", view.ended
        assert of(shop, "1-2").applet.keys[1].domain == 1
        text = said(shop.run(CHECK, "1-2"))
        assert (OTHER_KCV in text, KCV in text) == (True, True)


def test_a_second_domain_that_waits_is_given_its_share(tmp_path, quick):
    def setup(made):
        made = initialised(made, OTHER_SHARE)
        made.applet.domains.append(Domain(1, 1))
        return made

    with workshop(tmp_path, bench(card(setup=with_ec), card("DENK0109002", setup=setup))) as shop:
        files = backed_up(shop, tmp_path / "backup")
        share = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"backup": str(files), "shares": str(share), "share_passwords": "geheim"}
        view = shop.run(RESTORE, "1-2", answers=answers | {"pin": USER})

        assert view.verdict == "repaired", view.ended
        assert of(shop, "1-2").applet.domains[1].check_value.hex() == KCV


def test_keys_of_several_domains_are_backed_up_each_under_its_own(tmp_path):
    def setup(made):
        made = with_key(with_key(two_domains(made), 1, "one"), 2, "two")
        made.applet.keys[2] = replace(made.applet.keys[2], domain=1)
        made = with_key(made, 3, "three")
        made.applet.keys[3] = replace(made.applet.keys[3], domain=5)
        return made

    with workshop(tmp_path, bench(card(setup=setup))) as shop:
        view = shop.run(BACKUP, answers={"pin": USER})
        files = {
            path.name: KeyFile.parse(path.name, path.read_bytes()).blob.kcv.hex()
            for path in shop.state.artefacts(view.run).glob("*.bin")
        }

        assert sorted(files.values()) == sorted([KCV, OTHER_KCV])
        assert view.verdict == "unfinished"  # the third is in no domain that there is
        assert KCV in str(view.ended.to_do)
        assert OTHER_KCV in str(view.ended.to_do)
        assert "in no key domain that has its shares" in str(view.said)


@pytest.mark.parametrize("status", [0x6D00, 0x6B00, 0x6A88, 0x6A86])
def test_no_key_shares_is_said_in_several_ways(tmp_path, status):
    none = Fault(SHARES, Outcome.REFUSED, status=status, times=99)
    with workshop(tmp_path, bench(card(setup=with_ec, faults=(none,)))) as shop:
        assert "initialised without key shares" in said(shop.run(CHECK))
        assert shop.run(BACKUP, answers={"pin": USER}).verdict == "refused"


def test_ten_zeros_are_no_key_shares_either(tmp_path, monkeypatch):
    """An emulation answers so where it was initialised without any."""
    with workshop(tmp_path, bench(card(setup=fresh))) as shop:
        monkeypatch.setattr(of(shop).applet, "_key_domain", lambda command: bytes(10))
        view = shop.run(RESET, answers=WISHES | {"shares": "none"})

        assert view.verdict == "repaired", view.ended
        assert "without key shares" in said(shop.run(CHECK))


def test_a_longer_status_that_names_the_domain_is_read(tmp_path, monkeypatch):
    with workshop(tmp_path, bench(card())) as shop:
        applet = of(shop).applet
        short = applet._key_domain
        monkeypatch.setattr(applet, "_key_domain", lambda command: short(command) + b"uid" * 6)

        assert KCV in said(shop.run(CHECK))


def test_a_share_whose_answer_was_lost_is_not_given_twice(tmp_path, quick):
    lost = Fault(SHARES, Outcome.GARBLED, after=4)
    with workshop(tmp_path, bench(card(setup=waiting(2), faults=(lost,)))) as shop:
        other = bytes(a ^ b for a, b in zip(SHARE, OTHER_SHARE, strict=True))
        one, two = sealed(tmp_path / "a.pbe", b"geheim", OTHER_SHARE), tmp_path / "b.pbe"
        sealed(two, b"geheim", other, b"zuckerzu")
        answers = {"shares": f"{one},{two}", "share_passwords": "geheim", "pin": USER}
        view = shop.run(RESTORE, answers=answers)
        given = [apdu for apdu in shop.bus.sent if apdu[1] == SHARES and len(apdu) > 30]

        assert view.verdict == "repaired", view.ended
        assert len(given) == 2
        assert KCV in view.ended.sentence
        assert of(shop).faults.seen[0] > 4


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
            assert view.verdict == "repaired", view.ended
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
