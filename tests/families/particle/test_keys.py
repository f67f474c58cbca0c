"""What the two key slots of a Core can hold."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)

from console.families.particle import keys
from console.families.particle.keys import Content

BLANK = b"\xff" * 1024
SERVER_BLANK = b"\xff" * 2048


@pytest.fixture(scope="module")
def key() -> bytes:
    return keys.new_private_key()


def as_pkcs8(der: bytes) -> bytes:
    return load_der_private_key(der, None).private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )


def test_a_new_key_has_the_format_and_the_length_that_the_firmware_knows(key: bytes) -> None:
    """608 to 610 bytes of PKCS#1 DER, so that it fits any slot of the family."""
    assert key[:2] + key[4:11] == bytes.fromhex("3082020100028181 00".replace(" ", ""))
    assert len(key) in (608, 609, 610)
    assert keys.fits(key, 1024)
    assert not keys.fits(key, 607)
    assert not keys.fits(as_pkcs8(key), 1024)


def test_a_good_key_is_found_behind_its_padding(key: bytes) -> None:
    """The length comes from the DER head, not from the slot."""
    found = keys.private_slot(key.ljust(1024, b"\xff"))
    assert found == keys.Finding(
        Content.VALID, "The private-key slot holds a valid RSA-1024 key.", key
    )


@pytest.mark.parametrize(
    ("slot", "content"),
    [
        (BLANK, Content.BLANK),
        (b"\x00" * 1024, Content.PATTERN),
        (b"\xaa\x55" * 512, Content.PATTERN),
        (bytes(range(256)) * 4, Content.GARBAGE),
        (b"\x30\x82\x02\x5d" + b"\x11" * 1020, Content.GARBAGE),
        (b"\x30\x82\xff\xff" + b"\x11" * 1020, Content.TRUNCATED),
    ],
)
def test_what_is_no_key_is_told_apart(slot: bytes, content: Content) -> None:
    """A blank slot, a dead memory and leftovers need different advice."""
    assert keys.private_slot(slot).content is content


def test_a_key_that_stops_half_way_is_truncated(key: bytes) -> None:
    """A write that broke off leaves the beginning of a key and FF."""
    assert keys.private_slot(key[:300].ljust(1024, b"\xff")).content is Content.TRUNCATED


def test_a_key_with_one_wrong_bit_is_not_valid(key: bytes) -> None:
    """The numbers of an RSA key must fit together, not only be encoded well."""
    wrong = bytearray(key)
    wrong[300] ^= 1
    assert keys.private_slot(bytes(wrong).ljust(1024, b"\xff")).content is Content.GARBAGE


def test_a_key_of_another_size_is_not_valid() -> None:
    """The firmware reads RSA-1024 only, whatever fits into the slot."""
    larger = rsa.generate_private_key(65537, 1536)
    der = larger.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    found = keys.private_slot(der.ljust(1024, b"\xff"))
    assert (found.content, found.key) == (Content.GARBAGE, b"")


def test_a_key_written_as_pkcs8_is_named_and_converted(key: bytes) -> None:
    """OpenSSL 3's default format: the key is good, the firmware cannot read it."""
    found = keys.private_slot(as_pkcs8(key).ljust(1024, b"\xff"))
    assert (found.content, found.key) == (Content.PKCS8, key)


def test_no_byte_of_a_private_key_is_in_a_repr(key: bytes) -> None:
    """A repr ends up in logs."""
    found = keys.private_slot(key.ljust(1024, b"\xff"))
    assert repr(key[20:24])[2:-1] not in repr(found)
    assert "key" not in repr(found).split("sentence=")[0]


def test_the_public_pem_belongs_to_the_private_key(key: bytes) -> None:
    """It is what the customer registers."""
    public = load_pem_public_key(keys.public_pem(key))
    expected = load_der_private_key(key, None).public_key()
    assert expected == public


def test_the_server_slot_holds_an_rsa_2048_public_key_or_none() -> None:
    """The server's key is public; it is looked at, never written."""
    public = rsa.generate_private_key(65537, 2048).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    broken = der[:40] + bytes(254)
    assert (len(der), der[:6].hex()) == (294, "30820122300d")
    assert keys.server_slot(der.ljust(2048, b"\xff")).content is Content.VALID
    assert keys.server_slot(SERVER_BLANK).content is Content.BLANK
    assert keys.server_slot(b"\x00" * 2048).content is Content.PATTERN
    assert keys.server_slot(broken.ljust(2048, b"\xff")).content is Content.GARBAGE


def test_the_serial_follows_from_the_device_id() -> None:
    """The unit of the field case."""
    assert keys.serial_of("54ff73066672524813250167") == "6D7524674852"


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("54ff73066672524813250167", "54ff73066672524813250167"),
        (" 54FF 7306 6672 5248 1325 0167\n", "54ff73066672524813250167"),
        ("6D7524674852", ""),
        ("54ff7306667252481325016", ""),
        ("54ff73066672524813250167aa", ""),
        ("54ff7306667252481325016g", ""),
    ],
)
def test_a_device_id_is_24_hex_digits_however_it_is_spaced(typed: str, cleaned: str) -> None:
    """Work orders are copied by hand."""
    assert keys.device_id(typed) == cleaned
