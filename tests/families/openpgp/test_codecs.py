"""What cards say, read: two makers' captured answers whole, and tables of single values."""

from __future__ import annotations

import json

import pytest
from pysequoia.packet import PacketPile

from console.errors import Garbled
from console.families.openpgp import algorithms, objects
from console.families.openpgp.algorithms import CHOICES, Kind
from console.families.openpgp.kdf import Kdf, Pin
from console.families.openpgp.objects import Aid, ApplicationData, Historical, LifeCycle, Slot
from console.families.openpgp.products import looks_like_one
from console.families.openpgp.publickey import PublicKey
from console.families.openpgp.unlock import Locked
from console.protocols import tlv
from tests.families.openpgp.bench import KEYS
from tests.realdata import real

CAPTURES = ("openpgp-gnuk-1.2.19.jsonl", "openpgp-pico-3.4.jsonl")
BY_CRT = {slot.crt: slot for slot in Slot}


def exchanges(name: str) -> list[dict]:
    lines = real(f"captures/{name}").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("name", CAPTURES)
def test_every_answer_of_a_captured_card_is_read(name):
    """Each object by its parser; none is Garbled, and none is passed over."""
    first, *rest = exchanges(name)
    attributes = {slot: bytes.fromhex("010800002000") for slot in Slot}
    read = 0
    for one in rest:
        command, answer = bytes.fromhex(one["command"]), bytes.fromhex(one["response"])
        if command[1] == 0xDA and one["sw"] == "9000":
            for slot in Slot:
                if slot.attributes == command[3]:
                    attributes[slot] = command[5:]
        if one["sw"] != "9000" or not answer:
            continue
        if command[1] == 0xCA:
            read += _read(int.from_bytes(command[2:4], "big"), answer)
        elif command[1] == 0x47:
            slot = BY_CRT[command[5]]
            key = PublicKey.parse(answer, algorithms.of_slot(attributes[slot], slot))
            assert key.library() is not None
            assert len(key.fingerprint(0x6000000A)) == 20
            read += 1
    assert looks_like_one(first["atr"])
    assert read > 15


def _read(tag: int, raw: bytes) -> int:
    match tag:
        case objects.AID:
            assert Aid.parse(raw).maker == 0xFFFE
        case objects.APPLICATION:
            data = ApplicationData.parse(raw)
            assert ApplicationData.parse(tlv.encode(tag, raw)) == data
            assert data.historical.life is LifeCycle.OPERATIONAL
            assert [algorithms.words(raw) for raw in data.attributes] == ["rsa2048"] * 3
        case objects.HISTORICAL:
            assert Historical.parse(raw).chains
        case objects.PIN_STATUS:
            assert objects.PinStatus.parse(raw).longest == (0x7F, 0x7F, 0x7F)
        case objects.KDF:
            assert not Kdf.parse(raw).active
        case objects.ALGORITHMS:
            offered = algorithms.offered(raw)
            assert offered == algorithms.offered(tlv.encode(tag, raw))
            words = {offer.algorithm.word for offer in offered[Slot.DECRYPT]}
            assert {"rsa2048", "nistp256", "x25519"} <= words
            kinds = {offer.algorithm.kind for offer in offered[Slot.DECRYPT]}
            assert kinds == {Kind.RSA, Kind.ECDH}
        case objects.KEY_INFO:
            assert all(info in (0, 1) for info in objects.key_info(raw))
        case objects.SECURITY:
            assert objects.counter(raw) in (0, 1)
        case objects.CARDHOLDER:
            assert objects.holder_name(raw) == ""
        case _:
            return 0
    return 1


@pytest.mark.parametrize(
    ("raw", "info"),
    [
        ("010002010302", (0, 1, 2)),
        ("000101010202", (1, 1, 2)),
        ("de06010002000301", (0, 0, 1)),
        ("0101020103018101", (1, 1, 1)),
        ("", (None, None, None)),
    ],
)
def test_key_information_is_read_by_position(raw, info):
    """Numbered from 0, from 1, with its outer tag, with a fourth key, or absent."""
    assert objects.key_info(bytes.fromhex(raw)) == info


@pytest.mark.parametrize(
    ("raw", "life", "chains", "extended"),
    [
        ("0031c573c00140009000", LifeCycle.NONE, False, True),
        ("0031f573c00160059000", LifeCycle.OPERATIONAL, False, True),
        ("00318473800180039000", LifeCycle.TERMINATED, True, False),
        ("0073000080059000", LifeCycle.OPERATIONAL, True, False),
        ("80", LifeCycle.UNKNOWN, False, False),
    ],
)
def test_historical_bytes_tell_the_life_cycle_and_what_the_card_takes(raw, life, chains, extended):
    """5F52 of several makers."""
    found = Historical.parse(bytes.fromhex(raw))
    assert (found.life, found.chains, found.extended) == (life, chains, extended)


def test_the_last_bytes_of_the_capabilities_changed_their_meaning():
    """Lengths before version 3; afterwards they are in 7F66."""
    raw = bytes.fromhex("f80000200c000c000800")
    old = objects.Capabilities.parse(raw, (2, 1), b"")
    new = objects.Capabilities.parse(raw, (3, 3), bytes.fromhex("02021db902021db9"))
    assert (old.longest_command, old.longest_answer) == (0x0C00, 0x0800)
    assert (new.longest_command, new.longest_answer) == (7609, 7609)


def test_the_card_of_the_field_case_is_named():
    """Case 4."""
    aid = Aid.parse(bytes.fromhex("D276000124010303000500006FDA0000"))
    assert str(aid) == "OpenPGP card 3.3 by ZeitControl, serial 00006FDA"
    assert aid.last_four == "6FDA"


@pytest.mark.parametrize("raw", ["", "D276000124010303", "A0" * 16])
def test_what_is_no_application_name_is_garbled(raw):
    """Too short, or of somebody else."""
    with pytest.raises(Garbled):
        Aid.parse(bytes.fromhex(raw))


@pytest.mark.parametrize("word", CHOICES)
@pytest.mark.parametrize("slot", Slot, ids=lambda slot: slot.word)
def test_an_algorithm_survives_its_attributes(word, slot):
    """Every word of the table, in every slot."""
    algorithm = algorithms.named(word, slot)
    assert algorithms.of_slot(algorithm.attributes(), slot) == algorithm
    assert algorithms.of_slot(algorithm.attributes() + b"\xff", slot) in (algorithm, None)


def test_a_derived_pin_is_the_digest_of_exactly_so_many_bytes():
    """RFC 4880, 3.7.1.3: the salt and the PIN, over and over, cut at the count."""
    import hashlib

    raw = "81010382010883040000001484081111111111111111860833333333333333 33"
    kdf = Kdf.parse(bytes.fromhex(raw.replace(" ", "")))
    repeated = (b"\x11" * 8 + b"123456") * 2
    assert kdf.wire(Pin.SIGN, "123456") == hashlib.sha256(repeated[:20]).digest()
    admin = (b"\x33" * 8 + b"12345678") * 2
    assert kdf.wire(Pin.ADMIN, "12345678") == hashlib.sha256(admin[:20]).digest()
    assert kdf.wire(Pin.RESET_CODE, "123456") == kdf.wire(Pin.SIGN, "123456")
    assert "11" * 8 not in repr(kdf)


def test_a_fingerprint_is_what_gpg_computes():
    """The keys of an export, RSA and curves, against the fingerprints that gpg showed for them."""
    for name in ("rsa2048.asc", "ed25519.asc"):
        pile = PacketPile.from_bytes((KEYS / name).read_bytes())
        keys = [packet for packet in pile if "Secret" in str(packet.tag)]
        assert len(keys) == 3
        for packet in keys:
            assert Locked.parse(packet.body).fingerprint.hex() == packet.fingerprint


def test_the_cardholder_is_named_as_people_are():
    """Last<<First, in Latin-1, whatever else stands beside it."""
    raw = bytes.fromhex("5b0c") + "Müller<<Ada ".encode("latin-1") + bytes.fromhex("5f2d00")
    assert objects.holder_name(raw) == "Ada  Müller"
