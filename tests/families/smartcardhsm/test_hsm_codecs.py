"""The codecs against files that nobody here made: sc-hsm-tool's shares, keys, and the root."""

from __future__ import annotations

import json
from datetime import date

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import ConsoleError, Garbled, GateClosed
from console.families.smartcardhsm import blob, chain, cvc, request, share, threshold
from console.families.smartcardhsm.blob import Blob, KeyType, PlainKey
from console.families.smartcardhsm.description import EC, RSA, Description
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.share import ShareFile
from console.toil import Toil, derive, performed
from tests.realdata import real

KCV = "e396e9bcc17449f7"
TODAY = date(2026, 5, 4)
WRAPPED = {"wrapped-p256.bin": "p256.pub.der", "wrapped-rsa2048.bin": "rsa2048.pub.der"}


def material(toil: Toil) -> bytes:
    return performed(toil, lambda done, total: None)


@pytest.fixture(scope="session")
def dkek() -> Dkek:
    """The DKEK of the real share: its ten million rounds are run once for all tests."""
    file = ShareFile.parse("dkek-share.pbe", real("hsm/dkek-share.pbe").read_bytes())
    opened = file.open(material(file.toil(b"correct horse")))
    assert opened is not None
    return Dkek.of_shares((opened,))


# --- shares -----------------------------------------------------------------------------------


def test_a_real_share_opens_with_its_password_and_gives_the_cards_check_value(dkek):
    """Made by sc-hsm-tool, imported by somebody else's card, which showed this value."""
    assert dkek.kcv.hex() == KCV


def test_a_real_share_held_by_three_opens_with_two_of_them():
    """Shares 3 and 1, in that order, are as good as 1 and 2."""
    text = real("hsm/dkek-share-2of3.txt").read_text()
    file = ShareFile.parse("2of3", real("hsm/dkek-share-2of3.pbe").read_bytes())
    prime, one, two, three = text.splitlines()
    spelled = {
        threshold.passwords(threshold.parse("\n".join((prime, *pair))))[0]
        for pair in ((one, two), (three, one), (two, three), (one, two, three))
    }
    (password,) = spelled

    assert file.open(material(file.toil(password))) is not None


def test_a_wrong_password_opens_nothing():
    """Its padding does not add up."""
    salt, right = b"12345678", bytes(range(48))
    file = ShareFile.parse("share", share.seal(bytes(32), salt, right))

    assert file.open(bytes(48)) is None
    assert file.open(right) == bytes(32)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=48, max_size=48))
def test_what_was_sealed_is_opened(value, key):
    """A share file is 64 bytes, whatever is in it."""
    data = share.seal(value, b"12345678", key)

    assert len(data) == 64
    assert ShareFile.parse("share", data).open(key) == value


@pytest.mark.parametrize("size", [0, 8, 63, 65])
def test_a_file_of_another_size_is_no_share(size):
    with pytest.raises(GateClosed):
        ShareFile.parse("share", (b"Salted__" + bytes(60))[:size])


def test_shares_go_together_in_any_order_and_two_alike_cancel():
    one, two = bytes(range(32)), bytes([0x5A] * 32)

    assert Dkek.of_shares((one, two)) == Dkek.of_shares((two, one))
    assert Dkek.of_shares((one, one)) == Dkek(bytes(32))


def test_the_check_value_is_the_published_one():
    """Of the share 32 times 11, as an emulator answered it."""
    assert Dkek(b"\x11" * 32).kcv.hex() == "02d449a31fbb267c"


# --- passwords in parts ---------------------------------------------------------------------

PRIME = 0xED55C5DD60E2681B


def parts_of(secret: int, ids: list[str], numbers: list[int], slope: int = 0x123456789) -> str:
    """What custodians would bring, of a polynomial of degree 1."""
    values = [(secret + slope * number) % PRIME for number in numbers]
    lines = [f"Share {name} value {value:016x}" for name, value in zip(ids, values, strict=True)]
    return "\n".join((f"Prime {PRIME:016x}", *lines))


@given(st.integers(0, 2**63 - 1), st.integers(1, 2**60), st.sets(st.integers(1, 99), min_size=2))
def test_any_two_parts_give_the_password_back(secret, slope, numbers):
    """Ids as the tool prints them, in decimal; all eight bytes of the password."""
    text = parts_of(secret, [str(number) for number in numbers], list(numbers), slope)

    assert threshold.passwords(threshold.parse(text))[0] == secret.to_bytes(8, "big")


def test_a_custodian_who_writes_a_for_ten_is_understood():
    """The tool that made the parts reads ids as hex, so with ten or more people write letters."""
    secret = 0x0123456789ABCDEF
    text = parts_of(secret, ["A", "b", "9"], [10, 11, 9])

    assert secret.to_bytes(8, "big") in threshold.passwords(threshold.parse(text))


def test_an_id_that_was_meant_in_hex_is_tried_as_well():
    secret = 0x0123456789ABCDEF
    text = parts_of(secret, ["10", "3"], [16, 3])

    assert secret.to_bytes(8, "big") in threshold.passwords(threshold.parse(text))


def test_a_password_that_begins_with_a_zero_byte_keeps_it_and_is_tried_without():
    """The tool drops it when it rebuilds the password; the share was made with all eight."""
    text = parts_of(0x00FF00112233, ["1", "2"], [1, 2])
    whole, short = threshold.passwords(threshold.parse(text))[:2]

    assert (whole, short) == (bytes.fromhex("000000ff00112233"), bytes.fromhex("ff00112233"))


@pytest.mark.parametrize(
    "text",
    [
        "Prime ed55c5dd60e2681b; Share 1 value 11; Share 1 value 22",
        "Prime ed55c5dd60e2681b; Share 1 value 11",
        "Share 1 value 11; Share 2 value 22",
    ],
)
def test_parts_that_are_not_whole_are_said_and_not_guessed(text):
    with pytest.raises(GateClosed):
        threshold.parse(text)


# --- key blobs and key files ------------------------------------------------------------------


@pytest.mark.parametrize("name", WRAPPED)
def test_a_real_wrapped_key_opens_to_its_public_key(name, dkek):
    """Its MAC holds, its header reads, and inside is the key whose public half lies beside it."""
    file = KeyFile.parse(name, real(f"hsm/{name}").read_bytes())
    public = load_der_public_key(real(f"hsm/{WRAPPED[name]}").read_bytes())

    assert (file.blob.kcv.hex(), file.blob.algorithms) == (KCV, b"")
    assert file.blob.genuine(dkek)
    assert file.blob.open(dkek).public() == public == cvc.public_key_in(file.certificate)


@pytest.mark.parametrize("name", WRAPPED)
def test_a_real_key_file_is_written_again_byte_for_byte(name):
    """What sc-hsm-tool wrote is what we would write."""
    data = real(f"hsm/{name}").read_bytes()

    assert KeyFile.parse(name, data).encode() == data


@pytest.mark.parametrize("name", WRAPPED)
def test_a_real_key_file_that_was_cut_is_never_taken_for_one(name):
    data = real(f"hsm/{name}").read_bytes()
    for size in (0, 1, 4, 30, 200, len(data) - 1):
        with pytest.raises(GateClosed):
            KeyFile.parse(name, data[:size])


def test_any_edited_byte_of_a_real_blob_breaks_its_seal(dkek):
    raw = KeyFile.parse("k", real("hsm/wrapped-p256.bin").read_bytes()).blob.raw
    for at in range(0, len(raw), 7):
        edited = bytearray(raw)
        edited[at] ^= 1
        try:
            found = Blob.parse(bytes(edited))
        except GateClosed:
            continue
        assert not found.genuine(dkek), at


@given(
    st.sampled_from([KeyType.EC, KeyType.RSA, KeyType.RSA_CRT]),
    st.data(),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=6),
)
def test_what_was_wrapped_is_unwrapped(kind, data, key, limits):
    """Round trip of every kind, with and without an algorithm list, an empty component included."""
    parts = {name: data.draw(st.binary(max_size=40)) for name in blob.PARTS[kind]}
    plain = PlainKey(kind, 256, parts)
    wrapped = blob.seal(plain, Dkek(key), b"12345678", b"oid", limits)
    again = Blob.parse(wrapped.raw)

    assert again == wrapped
    assert again.algorithms == limits
    assert again.open(Dkek(key)) == plain
    assert not again.genuine(Dkek(bytes((key[0] ^ 1, *key[1:]))))


def test_a_header_with_a_list_is_read_where_the_published_image_has_it():
    """The image of a P-256 blob, list 73 92, as two implementations agreed on it."""
    head = bytes.fromhex("02d449a31fbb267c0c000a04007f00070202020203000273920000" + "0000")
    found = Blob.parse(head + bytes(304 + 16))

    assert (found.type, found.algorithms.hex(), len(found.head)) == (KeyType.EC, "7392", 29)


@given(st.binary(max_size=400))
def test_noise_is_no_blob_and_no_accident(data):
    """Whatever comes in a file: parsed, or refused in words."""
    for parse in (Blob.parse, lambda raw: KeyFile.parse("noise", raw), cvc.parse):
        try:
            parse(data)
        except ConsoleError as error:
            assert error.sentence


def test_no_repr_shows_a_secret(dkek):
    file = KeyFile.parse("k", real("hsm/wrapped-p256.bin").read_bytes())
    opened = file.blob.open(dkek)
    shown = repr(dkek) + repr(opened) + repr(file) + repr(Toil(b"correct horse", b"", 1, 1))

    assert "correct" not in shown
    assert opened.parts["d"].hex() not in shown
    assert dkek.value.hex() not in shown


# --- descriptions -----------------------------------------------------------------------------


@given(
    st.sampled_from([RSA, EC]),
    st.text(max_size=30),
    st.binary(max_size=8),
    st.integers(0, 5000),
)
def test_a_description_reads_as_it_was_written(kind, label, name, bits):
    about = Description(kind, label, name, bits)

    assert Description.parse(about.encode()) == about


@given(st.binary(max_size=60))
def test_noise_is_no_description(data):
    try:
        Description.parse(data)
    except Garbled as error:
        assert error.sentence


# --- certificates -----------------------------------------------------------------------------


def test_the_root_that_ships_is_the_published_one_and_signed_itself():
    """brainpoolP256r1, from 2012 to 2032."""
    found = chain.root()

    assert chain.ROOT.read_bytes() == real("DESRCACC100001.cvc").read_bytes()
    assert (found.chr, found.car) == ("DESRCACC100001", "DESRCACC100001")
    assert (found.effective, found.expires) == (date(2012, 11, 9), date(2032, 11, 8))
    assert found.signed(found.key, found.oid)


def test_an_edited_root_is_not_signed():
    data = bytearray(chain.ROOT.read_bytes())
    data[0x150] ^= 1
    found = cvc.parse(bytes(data))[0]

    assert not found.signed(chain.root().key, chain.root().oid)


def test_a_chain_of_another_vendor_is_information_not_a_fault():
    """What the capture's card has: its own root, so an unknown one."""
    lines = real("captures/smartcard-hsm-pico-6.6.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in lines]
    data = next(
        bytes.fromhex(t["response"]) for t in told if "2F02" in t.get("note", "") and t["response"]
    )
    found = chain.examine(data, TODAY)

    assert found.trust is chain.Trust.UNKNOWN
    assert found.serial == "ESPICOHSMTR"


def test_the_requests_and_descriptions_of_somebody_elses_card_are_read():
    """Keys 1 and 2 of the capture, as they stand in CE01, CE02, C401 and C402."""
    lines = real("captures/smartcard-hsm-pico-6.6.jsonl").read_text().splitlines()
    told = {t["note"]: bytes.fromhex(t["response"]) for t in map(json.loads, lines) if "note" in t}
    names = {"CE01": "rsa2048.pub.der", "CE02": "p256.pub.der"}

    for file, name in names.items():
        public = load_der_public_key(real(f"hsm/{name}").read_bytes())
        assert cvc.public_key_in(told[f"read {file}"]) == public
    assert Description.parse(told["read C401"]) == Description(RSA, "bench rsa", b"\x01", 2048)
    assert Description.parse(told["read C402"]) == Description(EC, "bench ec", b"\x02", 256)


# --- requests ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_request_is_proven_by_the_right_key_only(kind):
    """PKCS#10, with one signature made elsewhere."""
    if kind == "rsa":
        keys = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
        signs = [lambda d, k=k: k.sign(d, padding.PKCS1v15(), hashes.SHA256()) for k in keys]
    else:
        keys = [ec.generate_private_key(ec.BrainpoolP256R1()) for _ in range(2)]
        signs = [lambda d, k=k: k.sign(d, ec.ECDSA(hashes.SHA256())) for k in keys]
    good = request.pem("bench", keys[0].public_key(), signs[0])
    bad = request.pem("bench", keys[0].public_key(), signs[1])

    assert good.startswith(b"-----BEGIN CERTIFICATE REQUEST-----")
    assert request.proves(good, keys[0].public_key())
    assert not request.proves(good, keys[1].public_key())
    assert not request.proves(bad, keys[0].public_key())


# --- the work in between ----------------------------------------------------------------------


@settings(max_examples=20)
@given(st.binary(min_size=1, max_size=20), st.binary(max_size=8), st.integers(1, 300))
def test_the_work_is_openssls_evp_bytestokey(secret, salt, rounds):
    """Its definition, written down once more."""
    import hashlib

    made, block = b"", b""
    while len(made) < 48:
        block = hashlib.md5(block + secret + salt).digest()
        for _ in range(rounds - 1):
            block = hashlib.md5(block).digest()
        made += block

    assert derive(Toil(secret, salt, rounds, 48), lambda done, total: None) == made
