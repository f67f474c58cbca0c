"""The card at its contacts: time, power, touch, chains, faults, and what it keeps."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives import hashes

from console.families.openpgp.simulator_card import OpenPgpCard
from console.families.openpgp.simulator_faults import Fault, Half, Kind
from console.families.openpgp.simulator_rows import (
    GNUK,
    OPCARD,
    PICO,
    ROWS,
    YUBIKEY_5,
    ZEITCONTROL_3_3,
)
from console.hardware.simulated_card import Doing, exchange
from console.protocols.tlv import bare
from tests.families.openpgp.cards import PW1, PW3, Talk

ED = "00da00c10a162b06010401da470f01"
MAKE, SHOW = "0047800002b60000", "0047810002b60000"
SIGN = "002a9e9a04aabbccdd00"
SECONDS = {"ZeitControl 3.3": (20, 120), "Gnuk 1.2": (60, 180), "YubiKey 5": (1, 10)}


def with_key(row, **options) -> Talk:
    talk = Talk(row, **options).as_admin()
    talk.ok(ED)
    talk.generate("b6")
    return talk


# --- time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [ZEITCONTROL_3_3, GNUK, YUBIKEY_5], ids=lambda row: row.name)
def test_a_key_takes_as_long_as_such_cards_were_seen_to_take(row):
    """The same seed the same time, another seed another."""
    took = []
    for seed in (4, 4, 7):
        talk = Talk(row, seed=seed).as_admin()
        talk.waited = 0.0
        talk.generate("b6")
        took.append(talk.waited)
    shortest, longest = SECONDS[row.name]

    assert took[0] == took[1] != took[2]
    assert all(shortest <= seconds <= longest + 0.1 for seconds in took)


@pytest.mark.parametrize(
    ("half", "left", "new"),
    [(Half.NOTHING, 0x9000, False), (Half.ORPHAN, 0x9000, True), (Half.ERASED, 0x6A88, True)],
)
def test_power_that_goes_while_a_key_is_made(half, left, new):
    """The old key, the new one without a fingerprint, or none."""
    talk = Talk(ZEITCONTROL_3_3, half=half).as_admin()
    before = talk.generate("b6")
    talk.card.begin(bytes.fromhex(MAKE))
    assert talk.card.work(5.0) is None
    talk.card.reset()
    talk.select()
    after, sw = talk.send(SHOW)

    assert (sw, after != before) == (left, new)
    assert not talk.card.memory.fingerprints[0].strip(b"\0")
    assert talk.verify(0x83, PW3) == 0x9000


def test_a_new_command_forgets_the_one_under_way():
    """Nothing of it has happened."""
    talk = Talk(ZEITCONTROL_3_3).as_admin()
    talk.card.begin(bytes.fromhex(MAKE))
    talk.card.work(1.0)

    assert talk.sw(SHOW) == 0x6A88


# --- touch --------------------------------------------------------------------------------


def touchy(row) -> Talk:
    talk = with_key(row)
    talk.ok("00da00d6020120")
    assert talk.verify(0x81, PW1) == 0x9000
    return talk


@pytest.mark.parametrize(("row", "word"), [(OPCARD, "6982"), (YUBIKEY_5, "6600")])
def test_a_signature_waits_for_a_finger(row, word):
    """Touched, it goes on; not touched for 15 s, it refuses, and nothing was signed."""
    talk = touchy(row)
    talk.card.begin(bytes.fromhex(SIGN))
    assert (talk.card.work(5.0), talk.card.doing) == (None, Doing.TOUCH)
    talk.card.press("touch")
    assert talk.card.doing is Doing.WORKING
    answer = talk.card.work(2.0)
    assert answer is not None and len(answer) == 66
    talk.card.begin(bytes.fromhex(SIGN))

    assert talk.card.work(14.9) is None
    assert (talk.card.work(0.2) or b"").hex() == word
    assert bare(0x7A, talk.get(0x7A)).hex() == "9303000001"


def test_a_fixed_policy_stays_until_a_reset():
    """02: nobody takes it back."""
    talk = touchy(OPCARD)
    talk.ok("00da00d6020220")

    assert talk.sw("00da00d6020020") == 0x6985
    with pytest.raises(ValueError, match="none"):
        Talk(ZEITCONTROL_3_3).card.press("touch")


# --- the wire -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "long_ok", "chain_ok"),
    [(ZEITCONTROL_3_3, 0x9000, 0x6884), (GNUK, 0x6700, 0x9000), (OPCARD, 0x9000, 0x9000)],
)
def test_long_commands_come_as_that_card_takes_them(row, long_ok, chain_ok):
    """Extended, chained, or both."""
    talk = Talk(row).as_admin()
    certificate = bytes(300)
    head = bytes.fromhex("00da7f21")

    assert talk.sw(head + b"\0" + (300).to_bytes(2, "big") + certificate) == long_ok
    assert talk.sw(b"\x10" + head[1:] + b"\xfe" + certificate[:254]) == chain_ok
    if chain_ok == 0x9000:
        assert talk.sw(head + b"\x2e" + certificate[254:]) == 0x9000
    assert talk.get(0x7F21) == certificate


def test_a_chain_that_is_broken_off_is_forgotten():
    """Another command in between begins anew."""
    talk = Talk(OPCARD).as_admin()
    talk.ok("10da005e04aabbccdd")
    talk.ok("00ca00c400")
    talk.ok("00da005e02eeff")

    assert talk.get(0x5E).hex() == "eeff"


def test_a_long_answer_is_fetched_in_parts():
    """61xx says how much waits; whoever asks for something else loses it."""
    talk = Talk(GNUK).as_admin()
    talk.generate("b6")
    first = talk.raw(bytes.fromhex(SHOW))
    rest = talk.raw(bytes.fromhex("00c000000e"))

    assert first is not None and (len(first), first[-2:].hex()) == (258, "610e")
    assert rest is not None and rest.endswith(b"\x01\x00\x01\x90\x00")
    assert talk.raw(bytes.fromhex("00c0000000")) == b"\x69\x85"


@pytest.mark.parametrize("raw", ["00", "00ca00", "00da005e05aabb", "00ca000000", "00ca0000000000"])
def test_lengths_that_do_not_add_up(raw):
    """6700, or whatever the card says to a tag it has not: never a crash."""
    talk = Talk(OPCARD)
    talk.select()

    assert talk.sw(raw) in (0x6700, 0x6A88)


def test_certificates_are_three_on_a_new_card():
    """SELECT DATA chooses, GET NEXT DATA goes on; a Gnuk knows neither."""
    talk = Talk(YUBIKEY_5).as_admin()
    for number in range(3):
        talk.ok(f"00a50{number}040660045c027f21")
        talk.ok(f"00da7f2101{number:02x}")
    talk.ok("00a500040660045c027f21")

    assert [talk.get(0x7F21).hex(), talk.ok("00cc7f2100").hex()] == ["00", "01"]
    talk.ok("00a50004070660045c027f21")
    assert talk.get(0x7F21).hex() == "00"
    assert Talk(GNUK).as_admin().sw("00a500040660045c027f21") == 0x6D00


def test_random_bytes_are_as_many_as_asked_for():
    """GET CHALLENGE."""
    talk = Talk(YUBIKEY_5)
    talk.select()

    assert len(talk.ok("0084000020")) == 32
    assert talk.ok("0084000020") != talk.ok("0084000020")


# --- PINs as hashes -----------------------------------------------------------------------


def hashed(pin: bytes, salt: bytes, count: int = 1000) -> bytes:
    """Iterated and salted (RFC 4880, 3.7.1.3)."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(((salt + pin) * (count // len(salt + pin) + 1))[:count])
    return digest.finalize()


@pytest.mark.parametrize(("row", "raw_word"), [(GNUK, 0x6985), (OPCARD, 0x63C2)])
def test_with_a_kdf_pins_are_hashes_and_both_are_the_defaults_again(row, raw_word):
    """A Gnuk does not count what cannot be a hash; others do."""
    first, third = hashed(PW1, b"saltsalt"), hashed(PW3, b"SALTSALT")
    parts = ("810103", "820108", "8304000003e8", "8408" + b"saltsalt".hex())
    initial = ("8608" + b"SALTSALT".hex(), "8720" + first.hex(), "8820" + third.hex())
    value = bytes.fromhex("".join(parts + initial))
    talk = Talk(row).as_admin()
    if row is not GNUK:
        talk.put(0x24, 0, 0x81, PW1 + b"abcdefgh")
    assert talk.put(0xDA, 0, 0xF9, value)[1] == 0x9000

    assert talk.get(0xF9) == value
    assert talk.verify(0x81, PW1) == raw_word
    assert talk.counters()[0] == (3 if row is GNUK else 2)
    assert (talk.verify(0x81, first), talk.verify(0x83, third)) == (0x9000, 0x9000)


def test_a_reset_code_unblocks_the_user():
    """With tries of its own; taken away, there is none."""
    talk = Talk(OPCARD).as_admin()
    talk.ok("00da00d308" + b"resetcod".hex())
    talk.select()
    for _ in range(3):
        talk.verify(0x81, b"000000")
    assert talk.counters() == (0, 3, 3)
    assert talk.put(0x2C, 0, 0x81, b"resetXXX" + b"newpin")[1] == 0x63C2
    assert talk.put(0x2C, 0, 0x81, b"resetcod" + b"newpin")[1] == 0x9000
    assert (talk.verify(0x82, b"newpin"), talk.counters()) == (0x9000, (3, 3, 3))
    talk.as_admin()
    talk.ok("00da00d3")
    assert talk.put(0x2C, 0, 0x81, b"resetcod" + b"newpin")[1] == 0x63C0
    assert talk.put(0x2C, 2, 0x81, b"otherpin")[1] == 0x9000


# --- faults -------------------------------------------------------------------------------


def test_a_mute_card_is_mute_until_it_is_reset():
    """At the third command, once."""
    talk = Talk(OPCARD, faults=(Fault(Kind.MUTE, nth=3),))
    talk.select()
    talk.counters()
    assert talk.raw(bytes.fromhex("00ca00c400")) is None
    assert talk.raw(bytes.fromhex("00ca00c400")) is None
    assert talk.card.doing is Doing.MUTE
    talk.card.reset()

    assert (talk.select(), talk.counters()) == (0x9000, (3, 0, 3))


def test_an_answer_that_is_lost_after_all_was_done_leaves_an_orphan():
    """The key is there; its maker never heard of it."""
    talk = Talk(OPCARD, faults=(Fault(Kind.LOST, 0x47, 0x8000),)).as_admin()
    talk.ok(ED)
    assert talk.raw(bytes.fromhex(MAKE)) is None
    talk.card.reset()
    talk.select()

    assert talk.sw(SHOW) == 0x9000
    assert talk.get(0xDE).hex() == "010102000300"


def test_power_that_the_card_loses_by_itself():
    """Half-way through a generation; silent until it is reset."""
    lost = Fault(Kind.POWER_LOST, 0x47, 0x8000)
    talk = Talk(ZEITCONTROL_3_3, faults=(lost,), half=Half.ORPHAN).as_admin()
    assert talk.raw(bytes.fromhex(MAKE)) is None
    talk.card.reset()

    assert (talk.select(), talk.sw(SHOW)) == (0x9000, 0x9000)


def test_a_write_that_fails_once():
    """6581, nothing written; the second time it works."""
    talk = Talk(OPCARD, faults=(Fault(Kind.REFUSED, 0xDA, 0x00C7),)).as_admin()
    write = "00da00c714" + "44" * 20

    assert talk.sw(write) == 0x6581
    assert not talk.card.memory.fingerprints[0].strip(b"\0")
    assert talk.sw(write) == 0x9000


def test_an_answer_that_is_garbled_and_one_that_wants_its_length():
    """De ad be ef; 6Cxx, then the exact length works."""
    faults = (Fault(Kind.GARBLED, 0xCA, 0x00C4), Fault(Kind.WRONG_LENGTH, 0xCA, 0x004F))
    talk = Talk(OPCARD, faults=faults)
    talk.select()

    assert (talk.raw(bytes.fromhex("00ca00c400")) or b"").hex() == "deadbeef"
    assert talk.sw("00ca004f00") == 0x6C10
    assert len(talk.ok("00ca004f10")) == 16


def test_a_card_that_is_pulled_has_done_nothing():
    """It is gone, and back with its next reset."""
    talk = Talk(OPCARD, faults=(Fault(Kind.PULLED, 0x47, 0x8000),)).as_admin()
    talk.ok(ED)
    talk.card.begin(bytes.fromhex(MAKE))

    assert (talk.card.gone, talk.card.work(60.0)) == (True, None)
    talk.card.reset()
    assert (talk.card.gone, talk.select(), talk.sw(SHOW)) == (False, 0x9000, 0x6A88)


# --- keeping ------------------------------------------------------------------------------


def moved(talk: Talk, **options) -> OpenPgpCard:
    """The same card in another process."""
    other = OpenPgpCard(talk.row, b"\0\0\0\0", **options)
    other.thaw(json.loads(json.dumps(talk.card.freeze())))
    return other


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_all_of_a_card_is_kept(row):
    """What it has, what was given, what is half said: the frozen form is the same again."""
    talk = Talk(row).as_admin()
    talk.generate("b6")
    talk.put(0xDA, 0, 0x5E, b"login")
    talk.verify(0x81, b"999999")
    if row.chaining:
        talk.ok("10da005e04aabbccdd")

    assert moved(talk).freeze() == talk.card.freeze()


def test_a_generation_goes_on_where_it_was():
    """Also the time that is left, and the fault that was met."""
    faults = (Fault(Kind.SLOW, 0x47, 0x8000, seconds=105.0),)
    talk = Talk(ZEITCONTROL_3_3, faults=faults).as_admin()
    talk.card.begin(bytes.fromhex(MAKE))
    talk.card.work(100.0)
    other = moved(talk, faults=faults)

    assert other.work(4.9) is None
    answer = other.work(0.2)
    assert answer is not None and answer[-2:] == b"\x61\x0e"
    waited: list[float] = []
    exchange(other, bytes.fromhex(MAKE), waited.append, 600)
    assert sum(waited) != pytest.approx(105.0)


def test_nothing_secret_is_in_any_repr():
    """PINs, keys, commands, answers."""
    talk = Talk(PICO).as_admin()
    talk.ok(ED)
    talk.generate("b6")
    talk.put(0x24, 0, 0x83, PW3 + b"canary-pin")
    talk.card.begin(bytes.fromhex("0020008306") + b"canary")
    shown = repr(vars(talk.card)) + repr(talk.card.memory) + repr(talk.card.memory.pins)
    private = talk.card.memory.keys[0]

    assert private is not None
    assert "canary" not in shown
    assert repr(private.private)[2:-1] not in shown
