"""Identity and files of the simulated SmartCard-HSM, as a host finds them."""

from __future__ import annotations

import json

import pytest

from console.families.smartcardhsm import simulator_cvc as cvc
from console.families.smartcardhsm import simulator_files as files
from console.families.smartcardhsm.simulator_apdu import Denied, parse
from console.families.smartcardhsm.simulator_rows import FIRMWARES, HSM_2_5, HSM_3_1, HSM_3_4, Pace
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import (
    DONE,
    SELECT,
    Bench,
    chain,
    check_certificate,
    public_of,
    write,
)
from tests.realdata import real


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
def test_the_version_is_read_from_the_end_of_the_proprietary_object(row):
    bench = Bench(row)
    fresh = tlv.find(bench.ok(SELECT), 0x62, 0x85)
    bench.set_up()
    set_up = tlv.find(bench.ok(SELECT), 0x62, 0x85)

    assert tuple(fresh[-2:]) == (row.major, row.minor)
    assert (fresh[-4] & 1, set_up[-4] & 1) == (0, 1)
    assert bench.card.atr == row.atr


def test_two_applets_differ_in_where_the_version_stands_from_the_start():
    """So that nobody reads it there."""
    lengths = {len(tlv.find(row.fcp(0), 0x62, 0x85)) for row in FIRMWARES}
    assert len(lengths) > 1


def test_before_it_is_selected_the_applet_knows_nothing():
    bench = Bench(selected=False)
    assert bench.sw("80580000000000") == 0x6D00
    assert bench.sw("00a4040005a000000003") == 0x6A82
    assert bench.sw(SELECT) == DONE


def test_wrong_classes_lengths_and_parameters_are_told_apart():
    bench = Bench()
    assert bench.sw("10200081") == 0x6E00
    assert bench.sw("00fe0000") == 0x6D00
    assert bench.sw("0020008107363438") == 0x6700
    assert bench.sw("00a408000200002f02"[:14]) == 0x6A86
    assert bench.sw("00200181") == 0x6A86


@pytest.mark.parametrize("row", FIRMWARES, ids=lambda row: row.name)
def test_a_command_longer_than_the_platform_takes_is_refused_whole(row):
    bench = Bench(row).set_up()
    fits = row.longest - len(write(0xCF01, bytes(600))) + 600
    assert bench.sw(write(0xCF01, bytes(fits))) == DONE
    assert bench.sw(write(0xCF02, bytes(fits + 1))) == 0x6700
    assert "cf02" not in bench.listed()


def test_a_file_is_made_written_in_pieces_read_in_pieces_and_deleted():
    bench = Bench().set_up()
    content = bytes(index & 0xFF for index in range(1500))
    assert bench.write(0xCF01, content) == DONE
    assert bench.read(0xCF01) == content
    assert bench.do("00b1cf010454020000ff") == (content[:255], DONE)
    assert bench.do("00b1cf0104540205dc10") == (b"", 0x6282)
    assert bench.do("00b1cf0104540205d010") == (content[1488:], 0x6282)
    assert bench.sw("00b1cf0104540205dd10") == 0x6B00
    assert bench.ok("00a4000002cf0100") == files.fcp(0xCF01, 1500)
    assert bench.ok("00b100000454020000" + "04") == content[:4]
    assert bench.sw("00e4020002cf01") == DONE
    assert bench.sw("00e4020002cf01") == 0x6A82
    assert bench.sw("00b1cf010454020000ff") == 0x6A82


def test_opensc_makes_an_empty_file_and_fills_the_current_one():
    bench = Bench().set_up()
    assert bench.sw("00a4000002c90700") == 0x6A82
    assert bench.sw("00d7c90706540200005300") == DONE
    assert bench.sw("00d7000008540200005302abcd") == DONE
    assert bench.read(0xC907) == b"\xab\xcd"


def test_without_the_pin_nothing_is_written_and_protected_data_not_read():
    bench = Bench().set_up()
    assert bench.write(0xCD01, b"secret") == DONE
    assert bench.write(0xCF01, b"open") == DONE
    bench.ok(SELECT)
    assert bench.sw("00b1cd010454020000ff") == 0x6982
    assert bench.read(0xCF01) == b"open"
    assert bench.sw(write(0xCF02, b"x")) == 0x6982
    assert bench.sw("00e4020002cf01") == 0x6982


def test_what_is_the_devices_own_is_never_written_or_deleted():
    bench = Bench().set_up()
    for fid in ("2f02", "c400", "cc00"):
        assert bench.sw(write(int(fid, 16), b"x")) == 0x6982
        assert bench.sw(f"00e4020002{fid}") == 0x6982
    assert bench.sw(write(0xCC05, b"x")) == 0x6982
    assert bench.sw("00b1cc000454020000ff") == 0x6982
    assert bench.sw(write(0x1234, b"x")) == 0x6A82


def test_memory_ends_and_what_was_there_stays():
    bench = Bench().set_up()
    status, made = DONE, 0
    while status == DONE:
        made += 1
        status = bench.write(0xCF00 | made, bytes(1000))
    assert status == 0x6A84
    assert 60 < made < 80
    assert bench.read(0xCF01) == bytes(1000)
    assert bench.generate(1, bits=2048)[1] == 0x6A84
    assert bench.sw("00e4020002cf01") == DONE
    assert bench.generate(2)[1] == DONE


def test_random_bytes_are_asked_for_by_number():
    bench = Bench()
    first, second = bench.ok("0084000008"), bench.ok("0084000008")
    assert len(first) == 8
    assert first != second
    assert bench.sw("00840000000401") == 0x6700
    assert bench.sw("00840000") == 0x6700


# --- the device's certificates --------------------------------------------------------------


def test_the_chain_leads_from_the_device_to_the_root_that_it_was_given():
    for root in (cvc.ROOT, cvc.STRANGE_ROOT):
        device, issuer = chain(Bench(root=root).read(0x2F02))
        anchor = cvc.root_certificate(root)
        check_certificate(anchor, public_of(anchor))
        check_certificate(issuer, public_of(anchor))
        check_certificate(device, public_of(issuer))
        assert tlv.find(issuer, 0x7F21, 0x7F4E, 0x42) == root.name.encode()
        assert tlv.find(device, 0x7F21, 0x7F4E, 0x5F20) == b"DENK010999900000"


def test_another_root_did_not_sign_it():
    _, issuer = chain(Bench(root=cvc.STRANGE_ROOT).read(0x2F02))
    with pytest.raises(Exception):  # noqa: B017
        check_certificate(issuer, public_of(cvc.root_certificate()))


def test_our_root_has_the_form_of_the_vendors_and_theirs_verifies_likewise():
    """The vendor's own certificate is the measure of what we make."""
    theirs = real("DESRCACC100001.cvc").read_bytes()
    check_certificate(theirs, public_of(theirs))
    ours = cvc.root_certificate()

    def shape(data):
        body = tlv.find(data, 0x7F21, 0x7F4E)
        key = tlv.find(body, 0x7F49)
        roles = tlv.find(body, 0x7F4C)
        tags = [found.tag for found in tlv.parse(body)], [found.tag for found in tlv.parse(key)]
        return *tags, roles, len(tlv.find(body, 0x5F25))

    assert shape(ours) == shape(theirs)
    assert len(ours) == len(theirs)


def test_an_expired_issuer_can_be_had():
    _, issuer = chain(Bench(HSM_2_5, issuer=cvc.EXPIRED_ISSUER).read(0x2F02))
    assert tlv.find(issuer, 0x7F21, 0x7F4E, 0x5F24) == bytes((2, 3, 0, 5, 0, 5))


# --- time and state -------------------------------------------------------------------------


def test_what_is_under_way_is_not_done_when_the_power_goes():
    fresh = Bench().set_up()
    bench = Bench(pace=Pace())
    bench.card.thaw(fresh.card.freeze())
    command = write(0xCF01, b"x")
    bench.card.begin(command)
    assert bench.card.work(0.0) is None
    bench.card.reset()
    bench.ok(SELECT)
    assert "cf01" not in bench.listed()
    assert bench.card.work(100.0) is None


def test_an_rsa_pair_takes_its_time_by_seed_and_the_same_each_time():
    pace = Pace()
    times = {pace.pair(2048, seed, 0) for seed in range(20)}
    assert all(10 <= seconds <= 60 for seconds in times)
    assert len(times) > 10
    assert pace.pair(2048, 7, 0) == pace.pair(2048, 7, 0) != pace.pair(2048, 7, 1)
    assert pace.pair(4096, 1, 0) >= 60
    assert pace.pair(0, 1, 0) < 2


def test_a_frozen_card_goes_on_as_it_was_in_another_process():
    bench = Bench(HSM_3_1).set_up(bytes(range(32)))
    bench.generate(1)
    bench.generate(2, bits=1024, listed=b"\x33\x92")
    bench.write(0xCF01, b"data")
    kept = json.loads(json.dumps(bench.card.freeze()))
    other = Bench(HSM_3_1, selected=False)
    other.card.thaw(kept)

    assert other.card.freeze() == bench.card.freeze()
    assert other.listed() == bench.listed()
    assert other.read(0x2F02) == bench.read(0x2F02)
    assert other.wrap(2)[1] == DONE
    public = other.public(1)
    assert public.public_numbers() == bench.public(1).public_numbers()


def test_no_secret_is_in_any_repr():
    bench = Bench(HSM_3_4).set_up(bytes(range(32)))
    bench.generate(1)
    applet = bench.card.applet
    command = parse(bytes.fromhex("0020008106363438323139"))
    shown = [
        repr(value)
        for value in (
            *(bench.card, applet, applet.pins, applet.pins.user, applet.keys, applet.domains),
            *(command, Denied(0x6982)),
        )
    ]
    text = " ".join(shown)
    assert "648219" not in text
    assert bytes(range(32)).hex() not in text
    assert "\\x00\\x01\\x02" not in text
