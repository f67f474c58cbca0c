"""Cards that are not ours: other makers', other lines, other manners; what they say is understood.

The rule: each test is a card that differs in one thing from the simulated ones.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.families.smartcardhsm import contents
from console.families.smartcardhsm.chain import Trust, examine
from console.families.smartcardhsm.client import SO, SmartCardHsm
from console.families.smartcardhsm.cvc import parse
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.simulator import (
    OTHER_SHARE,
    SHARE,
    SO_PIN,
    initialised,
    with_key,
)
from console.families.smartcardhsm.simulator_blob import Domain
from console.families.smartcardhsm.simulator_cvc import ROOT, device_chain, root_certificate
from console.families.smartcardhsm.simulator_faults import Fault, Outcome
from console.families.smartcardhsm.simulator_rows import HSM_3_4
from console.protocols import tlv
from tests.families.smartcardhsm.captured import Captured
from tests.families.smartcardhsm.others import (
    BACKUP,
    BY_SO_PIN,
    CHECK,
    FLASH,
    OTHER_KCV,
    RESET,
    RESTORE,
    SHARES,
    UNBLOCK,
    WISHES,
    Line,
    client,
    said,
)
from tests.families.smartcardhsm.restoring import keys_of, waiting
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
from tests.harness import workshop

__all__ = ["quick"]


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


@pytest.mark.parametrize("status", [0x6D00, 0x6B00, 0x6A86])
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
