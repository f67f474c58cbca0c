"""Keys on the simulated cards: what a host proves with the public half."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from console.families.openpgp.simulator_rows import (
    BRAINPOOL,
    GNUK,
    OPCARD,
    P256,
    P384,
    P521,
    PICO,
    YUBIKEY_5,
    ZEITCONTROL_3_3,
)
from console.protocols import tlv
from console.protocols.tlv import bare
from tests.families.openpgp.cards import PW1, Talk

DIGEST = bytes(range(32))
SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
ED, X = "162b06010401da470f01", "122b060104019755010501"
CURVES = {
    P256: ec.SECP256R1(),
    P384: ec.SECP384R1(),
    P521: ec.SECP521R1(),
    BRAINPOOL[0]: ec.BrainpoolP256R1(),
}


def ready(row, slot: int = 0, attributes: str = "") -> Talk:
    """Admin and both user PINs given; the slot set to those attributes."""
    talk = Talk(row).as_admin()
    if attributes:
        talk.ok(bytes((0, 0xDA, 0, 0xC1 + slot, len(attributes) // 2)) + bytes.fromhex(attributes))
    return talk


def unlock(talk: Talk) -> Talk:
    assert talk.verify(0x81, PW1) == talk.verify(0x82, PW1) == 0x9000
    return talk


def rsa_public(shown: bytes) -> rsa.RSAPublicKey:
    n, e = (int.from_bytes(tlv.find(shown, 0x7F49, tag) or b"", "big") for tag in (0x81, 0x82))
    return rsa.RSAPublicNumbers(e, n).public_key()


def point(shown: bytes) -> bytes:
    return tlv.find(shown, 0x7F49, 0x86) or b""


@pytest.mark.parametrize("row", [ZEITCONTROL_3_3, GNUK, OPCARD, YUBIKEY_5], ids=lambda r: r.name)
def test_an_rsa_key_made_on_the_card_signs_decrypts_and_authenticates(row):
    """DigestInfo in, PKCS#1 out; a cryptogram behind 00; what was read back is what was made."""
    talk = ready(row)
    sign, decrypt, login = (talk.generate(slot) for slot in ("b6", "b8", "a4"))
    assert talk.ok("0047810002b60000") == sign
    unlock(talk)
    info = SHA256_INFO + DIGEST
    signed, _ = talk.put(0x2A, 0x9E, 0x9A, info, le=True)
    shown, _ = talk.put(0x88, 0, 0, info, le=True)
    secret = rsa_public(decrypt).encrypt(b"a session key", padding.PKCS1v15())
    opened, sw = talk.put(0x2A, 0x80, 0x86, b"\0" + secret, le=True)

    check = (padding.PKCS1v15(), Prehashed(hashes.SHA256()))
    rsa_public(sign).verify(signed, DIGEST, *check)
    rsa_public(login).verify(shown, DIGEST, *check)
    assert (opened, sw) == (b"a session key", 0x9000)
    assert bare(0x7A, talk.get(0x7A)).hex() == "9303000001"


def test_a_cryptogram_that_was_tampered_with_is_refused():
    """A card says 6A80; it does not hand out a random message."""
    talk = ready(ZEITCONTROL_3_3)
    public = rsa_public(talk.generate("b8"))
    unlock(talk)
    secret = bytearray(public.encrypt(b"a session key", padding.PKCS1v15()))
    secret[-1] ^= 1

    assert talk.put(0x2A, 0x80, 0x86, b"\0" + bytes(secret), le=True)[1] == 0x6A80
    assert talk.put(0x2A, 0x80, 0x86, bytes(secret), le=True)[1] == 0x6A80


@pytest.mark.parametrize("oid", CURVES)
def test_a_curve_made_on_the_card_signs_and_agrees(oid):
    """r and s side by side; the shared x."""
    talk = ready(YUBIKEY_5, 0, "13" + oid)
    talk.ok(bytes((0, 0xDA, 0, 0xC2, 1 + len(oid) // 2, 0x12)) + bytes.fromhex(oid))
    curve = CURVES[oid]
    sign, agree = (point(talk.generate(slot)) for slot in ("b6", "b8"))
    unlock(talk)
    raw, _ = talk.put(0x2A, 0x9E, 0x9A, DIGEST, le=True)
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    mine = ec.generate_private_key(curve)
    numbers = mine.public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    sent = b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
    asked = tlv.encode(0xA6, tlv.encode(0x7F49, tlv.encode(0x86, sent)))
    shared, sw = talk.put(0x2A, 0x80, 0x86, asked, le=True)

    public = ec.EllipticCurvePublicKey.from_encoded_point(curve, sign)
    public.verify(encode_dss_signature(r, s), DIGEST, ec.ECDSA(Prehashed(hashes.SHA256())))
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(curve, agree)
    assert (shared, sw) == (mine.exchange(ec.ECDH(), theirs), 0x9000)


@pytest.mark.parametrize("row", [GNUK, OPCARD, PICO], ids=lambda row: row.name)
def test_modern_curves_are_raw_32_bytes(row):
    """Ed25519 signs what it is given; X25519 agrees, with and without the prefix 40."""
    talk = ready(row, 0, ED)
    talk.ok("00da00c20b" + X)
    sign, agree = (point(talk.generate(slot)) for slot in ("b6", "b8"))
    unlock(talk)
    signed, _ = talk.put(0x2A, 0x9E, 0x9A, b"any message", le=True)
    mine = x25519.X25519PrivateKey.generate()
    shared = mine.exchange(x25519.X25519PublicKey.from_public_bytes(agree))

    assert len(sign) == len(agree) == 32
    ed25519.Ed25519PublicKey.from_public_bytes(sign).verify(signed, b"any message")
    for lead in (b"", b"\x40"):
        sent = tlv.encode(0x86, lead + mine.public_key().public_bytes_raw())
        asked = tlv.encode(0xA6, tlv.encode(0x7F49, sent))
        assert talk.put(0x2A, 0x80, 0x86, asked, le=True) == (shared, 0x9000)


def header(slot: str, *parts: tuple[int, bytes]) -> bytes:
    """An extended header list (4D)."""
    lengths = b"".join(bytes((tag,)) + tlv.encode_length(len(value)) for tag, value in parts)
    values = b"".join(value for _, value in parts)
    lists = tlv.encode(0x7F48, lengths) + tlv.encode(0x5F48, values)
    return tlv.encode(0x4D, bytes.fromhex(slot) + b"\0" + lists)


@pytest.mark.parametrize("row", [ZEITCONTROL_3_3, GNUK, OPCARD], ids=lambda row: row.name)
def test_an_rsa_key_is_taken_in(row):
    """Chained, or extended where there is no chaining; the fingerprints are the host's matter."""
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.private_numbers()
    data = header(
        "b6",
        (0x91, (65537).to_bytes(4, "big")),
        (0x92, numbers.p.to_bytes(128, "big")),
        (0x93, numbers.q.to_bytes(128, "big")),
    )
    talk = ready(row)
    talk.ok("00da00c714" + "22" * 20)

    assert talk.put(0xDB, 0x3F, 0xFF, data)[1] == 0x9000
    assert rsa_public(talk.ok("0047810002b60000")).public_numbers() == numbers.public_numbers
    assert talk.get(0x6E).count(b"\x22" * 20) == 1
    assert repr(talk.card.memory.keys[0]).count("private") == 0


def test_curves_are_taken_in_as_hosts_send_them():
    """X25519's number is big-endian on the wire; a leading zero may be missing."""
    talk = ready(OPCARD, 0, ED)
    talk.ok("00da00c20b" + X)
    seed = b"\0" + bytes(range(1, 32))
    agree = x25519.X25519PrivateKey.generate()
    reversed_secret = agree.private_bytes_raw()[::-1]
    assert talk.put(0xDB, 0x3F, 0xFF, header("b6", (0x92, seed[1:])))[1] == 0x9000
    assert talk.put(0xDB, 0x3F, 0xFF, header("b8", (0x92, reversed_secret)))[1] == 0x9000

    own = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert point(talk.ok("0047810002b60000")) == own
    assert point(talk.ok("0047810002b80000")) == agree.public_key().public_bytes_raw()
    assert talk.get(0xDE).hex() == "010202020300"


def test_a_key_that_does_not_fit_is_refused_and_the_old_one_stays():
    """Of another length, cut off, or with a public half of another key."""
    talk = ready(OPCARD, 0, ED)
    before = talk.generate("b6")
    short = rsa.generate_private_key(65537, 1024).private_numbers()
    bad = [
        header("b8", (0x91, b"\1\0\1"), (0x92, short.p.to_bytes(64)), (0x93, short.q.to_bytes(64))),
        header("b6", (0x92, bytes(32)), (0x99, bytes(32))),
        header("b6", (0x92, bytes(32)))[:-4],
        header("b6", (0x99, bytes(32))),
        b"",
    ]

    assert [talk.put(0xDB, 0x3F, 0xFF, data)[1] for data in bad] == [0x6A80] * 5
    assert talk.ok("0047810002b60000") == before


def test_an_algorithm_that_changes_takes_the_key_with_it():
    """The same one again does not; a Gnuk forgets the fingerprint too."""
    talk = ready(GNUK)
    talk.generate("b6")
    talk.ok("00da00c714" + "33" * 20)
    talk.ok("00da00c106010800002000")
    assert talk.sw("0047810002b60000") == 0x9000
    talk.ok("00da00c10a" + ED)

    assert talk.sw("0047810002b60000") == 0x6A88
    assert not talk.get(0xC5).strip(b"\0")
    assert talk.sw("00da00c106010c00002000") == 0x6A88


def test_a_forced_pin_is_good_for_one_signature():
    """C4's first byte; a new key starts the counter anew."""
    talk = ready(OPCARD, 0, ED)
    talk.generate("b6")
    talk.ok("00da00c40100")
    unlock(talk)
    sign = "002a9e9a04aabbccdd00"

    assert (talk.sw(sign), talk.sw(sign)) == (0x9000, 0x6982)
    unlock(talk)
    assert talk.sw(sign) == 0x9000
    assert talk.get(0x7A).hex() == "9303000002"
    talk.generate("b6")
    assert talk.get(0x7A).hex() == "9303000000"


def test_another_key_is_chosen_by_the_security_environment():
    """MSE: the decryption key authenticates; a SELECT undoes it."""
    talk = ready(OPCARD, 1, "12" + P256)
    talk.ok("00da00c309" + "13" + P256)
    decrypt, login = (point(talk.generate(slot)) for slot in ("b8", "a4"))
    unlock(talk)

    def signer() -> bytes:
        raw, _ = talk.put(0x88, 0, 0, DIGEST, le=True)
        pair = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        for known in (decrypt, login):
            public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), known)
            try:
                checked = ec.ECDSA(Prehashed(hashes.SHA256()))
                public.verify(encode_dss_signature(*pair), DIGEST, checked)
            except InvalidSignature:
                continue
            return known
        return b""

    assert signer() == login
    talk.ok("002241a403830102")
    assert signer() == decrypt
    talk.select()
    unlock(talk)
    assert signer() == login


def test_aes_there_and_back():
    """PSO ENCIPHER and DECIPHER with the key of D5; without one there is none."""
    talk = unlock(ready(OPCARD))
    assert talk.put(0x2A, 0x86, 0x80, DIGEST, le=True)[1] == 0x6985
    talk.ok("00da00d510" + "0f" * 16)
    hidden, _ = talk.put(0x2A, 0x86, 0x80, DIGEST, le=True)

    assert hidden[:1] == b"\x02" and DIGEST not in hidden
    assert talk.put(0x2A, 0x80, 0x86, hidden, le=True) == (DIGEST, 0x9000)
