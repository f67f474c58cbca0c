"""PINs, their counters and INITIALIZE of the simulated SmartCard-HSM."""

from __future__ import annotations

import pytest

from console.families.smartcardhsm.simulator_rows import HSM_2_6, HSM_3_4
from tests.families.smartcardhsm.simulated import (
    DONE,
    PIN,
    SELECT,
    SO,
    Bench,
    initialize,
    share_command,
    short,
)

WRONG = b"000000"
WRONG_SO = b"00000000"


def reset_tries(bench, how, data):
    return bench.sw(short("002c", f"{how:02x}81", data) if data else f"002c{how:02x}81")


def change(bench, which, data):
    return bench.sw(short("0024", f"00{which:02x}", data))


def test_before_it_is_initialised_there_is_no_pin():
    bench = Bench()
    assert (bench.tries(), bench.tries(0x88)) == (0x6A88, 0x6A88)
    assert bench.verify() == 0x6A88
    assert bench.sw("8052000000") == 0x6D00
    assert bench.listed() == ["c400", "cc00"]


def test_opensc_finds_neither_fingerprints_nor_a_pin_pad():
    """Anything else than 'not found' would make it expect a PIN pad."""
    bench = Bench().set_up()
    assert (bench.tries(0x85), bench.tries(0x86)) == (0x6A88, 0x6A88)


def test_the_counters_count_and_initialising_leaves_nobody_verified():
    bench = Bench()
    assert bench.initialize() == DONE
    assert (bench.tries(), bench.tries(0x88)) == (0x63C3, 0x63CF)
    assert bench.verify(WRONG) == 0x63C2
    assert bench.verify() == DONE
    assert bench.tries() == DONE
    bench.ok(SELECT)
    assert bench.tries() == 0x63C3


@pytest.mark.parametrize("tries", [1, 3, 10])
def test_the_user_has_as_many_tries_as_were_chosen(tries):
    bench = Bench()
    assert bench.initialize(tries=tries) == DONE
    for left in range(tries - 1, -1, -1):
        assert bench.verify(WRONG) == 0x63C0 + left
    assert bench.verify() == 0x6983
    assert bench.tries() == 0x6983


def test_a_pin_of_a_wrong_length_spends_no_try():
    bench = Bench().set_up()
    bench.ok(SELECT)
    assert bench.verify(b"12345") == 0x6700
    assert bench.tries() == 0x63C3


def test_a_wrong_so_pin_at_initialize_is_refused_and_costs_a_try_and_nothing_else():
    bench = Bench().set_up()
    bench.generate(1)
    assert bench.initialize(so=WRONG_SO) == 0x6985
    assert bench.tries(0x88) == 0x63CE
    assert "cc01" in bench.listed()
    assert bench.initialize() == DONE
    assert bench.tries(0x88) == 0x63CF
    assert bench.listed() == ["c400", "cc00"]


def test_what_initialize_does_not_understand_costs_no_try():
    bench = Bench().set_up()
    for command in (
        initialize(pin=b"12345", so=WRONG_SO),
        initialize(so=b"1234567"),
        initialize(tries=0),
        initialize(tries=11),
        initialize(extra="97"),
    ):
        assert bench.sw(command) == 0x6A80
    assert bench.sw(initialize(extra="93020102")) == 0x6A81
    assert bench.tries(0x88) == 0x63CF


def test_without_so_tries_and_user_tries_it_is_a_brick():
    bench = Bench().set_up()
    for left in range(14, -1, -1):
        assert bench.initialize(so=WRONG_SO) == 0x6985
        assert bench.tries(0x88) == (0x63C0 + left if left else 0x6983)
    assert bench.initialize() == 0x6983
    assert reset_tries(bench, 0, SO + b"123456") == 0x6983
    bench.ok(SELECT)
    assert bench.verify() == DONE  # keys are still of use, and can be exported
    bench.ok(SELECT)
    for _ in range(3):
        bench.verify(WRONG)
    assert bench.verify() == 0x6983
    bench.card.reset()
    bench.ok(SELECT)
    assert (bench.tries(), bench.tries(0x88)) == (0x6983, 0x6983)
    assert bench.initialize() == 0x6983


def test_the_so_pin_unblocks_where_the_option_allows():
    bench = Bench().set_up()
    for _ in range(3):
        bench.verify(WRONG)
    assert reset_tries(bench, 0, WRONG_SO + b"654321") == 0x63CE
    assert reset_tries(bench, 0, SO + b"654321") == DONE
    assert bench.tries() == 0x63C3
    assert bench.verify(PIN) == 0x63C2
    assert reset_tries(bench, 1, SO) == DONE
    assert bench.tries() == 0x63C3
    assert bench.verify(b"654321") == DONE


def test_after_the_so_pin_is_verified_it_need_not_be_given_again():
    bench = Bench().set_up()
    assert reset_tries(bench, 3, b"") == 0x6982
    assert bench.verify(SO, 0x88) == DONE
    assert bench.tries(0x88) == DONE
    assert reset_tries(bench, 2, b"111111") == DONE
    assert bench.verify(b"111111") == DONE
    assert reset_tries(bench, 3, b"") == DONE


def test_where_the_option_is_not_set_the_so_pin_unblocks_nothing_and_spends_nothing():
    bench = Bench()
    assert bench.initialize(options="0000") == DONE
    assert reset_tries(bench, 0, SO + b"654321") == 0x6985
    assert reset_tries(bench, 0, WRONG_SO + b"654321") == 0x6985
    assert bench.tries(0x88) == 0x63CF


def test_pins_are_changed_by_who_knows_them():
    bench = Bench().set_up()
    assert change(bench, 0x81, WRONG + b"222222") == 0x63C2
    assert change(bench, 0x81, PIN + b"22222") == 0x6700
    assert change(bench, 0x81, PIN + b"22222222") == DONE
    assert bench.verify(b"22222222") == DONE
    assert change(bench, 0x88, SO + b"ABCDEFGH") == DONE
    assert bench.initialize() == 0x6985
    assert bench.initialize(so=b"ABCDEFGH") == DONE


def test_a_transport_pin_has_to_be_changed_before_anything():
    bench = Bench()
    assert bench.initialize(options="0003") == DONE
    assert bench.tries() == 0x6984
    assert bench.verify() == 0x6984
    assert change(bench, 0x81, PIN + b"333333") == DONE
    assert bench.verify(b"333333") == DONE


def test_no_shares_were_asked_for_so_there_is_no_wrapping_ever():
    bench = Bench().set_up()
    bench.generate(1)
    assert bench.sw("8052000000") == 0x6D00
    assert bench.sw(share_command(bytes(32))) == 0x6D00
    assert bench.wrap(1)[1] == 0x6D00
    assert bench.unwrap(2, bytes(100)) == 0x6D00


def test_shares_come_in_any_order_and_not_one_too_many():
    one, two = b"\x11" * 32, bytes(range(32))
    values = []
    for shares in ((one, two), (two, one)):
        bench = Bench()
        assert bench.initialize(extra="920102") == DONE
        assert bench.ok("8052000000") == bytes.fromhex("0202") + bytes(8)
        assert bench.ok(share_command(shares[0])) == bytes.fromhex("0201") + bytes(8)
        values.append(bench.ok(share_command(shares[1])))
        assert bench.sw(share_command(shares[1])) == 0x6985
        assert bench.sw(short("8052", "0000", bytes(31)) + b"\0") == 0x6700
    assert values[0] == values[1]
    assert values[0][:2] == b"\2\0"


def test_the_check_value_is_the_one_of_the_reference():
    bench = Bench().set_up(b"\x11" * 32)
    assert bench.ok("8052000000").hex() == "0100" + "02d449a31fbb267c"


def test_no_shares_at_all_make_a_secret_that_is_never_the_same():
    statuses = []
    for _ in range(2):
        bench = Bench()
        assert bench.initialize(extra="920100") == DONE
        statuses.append(bench.ok("8052000000"))
    assert statuses[0][:2] == b"\0\0"
    assert statuses[0] != statuses[1]


def test_key_domains_are_made_and_deleted_on_the_later_line_only():
    old = Bench(HSM_2_6)
    assert old.initialize(extra="970103") == 0x6A80

    bench = Bench(HSM_3_4)
    assert bench.initialize(extra="970103") == DONE
    assert bench.sw("8052000100") == 0x6A88
    assert bench.sw("805201010101" + "00") == 0x6982
    bench.verify()
    assert bench.ok("805201010101" + "00") == b"\1\1" + bytes(8)
    assert bench.ok(share_command(b"\x11" * 32, 1))[:2] == b"\1\0"
    assert bench.generate(1, domain=bytes.fromhex("920101"))[1] == DONE
    assert bench.generate(2)[1] == DONE
    assert bench.wrap(1)[1] == DONE
    assert bench.wrap(2)[1] == 0x6A88  # its domain has no key
    assert bench.sw("8052030100") == 0x6985  # a key is in it
    assert bench.sw("00e4020002cc01") == DONE
    assert bench.ok("8052040100")[:2] == b"\1\1"
    assert bench.sw("8052030100") == DONE
    assert bench.sw("8052000100") == 0x6A88
    assert bench.sw("8052020100") == 0x6A81
    assert bench.sw("8052000300") == 0x6A86


def test_what_is_not_modelled_is_refused():
    bench = Bench().set_up()
    assert bench.sw("8054000000") == 0x6D00
    assert bench.sw("002281b603830100") == 0x6A88
    assert bench.sw("805a018100") == 0x6982
    assert Bench(HSM_2_6).set_up().sw("805a018100") == 0x6D00
