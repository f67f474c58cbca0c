"""Private keys are found wherever they lie in an image, and such an image is not kept."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from console.families.particle.private import holds_private
from console.families.particle.simulator_contents import private_key
from tests.families.particle.images import APPLICATION, K, dfuse, hex_lines, vectors
from tests.harness import workshop
from tests.realdata import real

NOISE = hashlib.shake_256(b"around").digest(3000)
PLAIN = NoEncryption()
TRADITIONAL, PKCS8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8


def keys_of_all_kinds():
    """RSA of several sizes, EC on several curves, an Edwards key; in each DER that holds it."""
    for bits in (1024, 2048, 3072):
        key = rsa.generate_private_key(65537, bits)
        yield pytest.param(key, TRADITIONAL, id=f"RSA-{bits} PKCS#1")
        yield pytest.param(key, PKCS8, id=f"RSA-{bits} PKCS#8")
    for curve in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.SECP256K1()):
        key = ec.generate_private_key(curve)
        yield pytest.param(key, TRADITIONAL, id=f"{curve.name} SEC1")
        yield pytest.param(key, PKCS8, id=f"{curve.name} PKCS#8")
    yield pytest.param(ed25519.Ed25519PrivateKey.generate(), PKCS8, id="Ed25519 PKCS#8")


@pytest.mark.parametrize(("key", "form"), list(keys_of_all_kinds()))
def test_a_private_key_is_found_in_der_and_in_pem(key, form):
    """Between other bytes, at any place, after a byte that looks like its own beginning."""
    for encoding in (Encoding.DER, Encoding.PEM):
        data = key.private_bytes(encoding, form, PLAIN)
        assert holds_private(NOISE + data + NOISE)
        assert holds_private(b"0" * 3 + data)


def test_a_small_key_of_an_older_tool_is_a_private_key_too():
    """RSA-512, built by hand: no library makes it any more."""
    numbers = [0, 1 << 511 | 1, 65537, 1 << 509 | 1, *[1 << 255 | 1] * 5]
    body = b"".join(_integer(number) for number in numbers)
    der = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    assert holds_private(NOISE + der + NOISE)
    assert holds_private(NOISE + der[: len(der) // 2]), "the half of it is no less a secret"


def _integer(number: int) -> bytes:
    raw = number.to_bytes(number.bit_length() // 8 + 1, "big")
    size = bytes((len(raw),)) if len(raw) < 0x80 else bytes((0x81, len(raw)))
    return b"\x02" + size + raw


def test_public_keys_and_firmware_hold_none():
    """Nor does a parser's own word for the beginning of a PEM, or a key under a passphrase."""
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key()
    for encoding in (Encoding.DER, Encoding.PEM):
        assert not holds_private(public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo))
        assert not holds_private(public.public_bytes(encoding, PublicFormat.PKCS1))
    parser = b"-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0"
    assert not holds_private(parser + NOISE)
    assert not holds_private(hashlib.shake_256(b"firmware").digest(1 << 20))
    locked = key.private_bytes(Encoding.DER, PKCS8, BestAvailableEncryption(b"x"))
    assert not holds_private(locked)


@pytest.mark.parametrize("name", ["core_tinker.bin", "photon_tinker-0.4.5.bin"])
def test_the_vendors_applications_hold_none(name):
    """So they are kept as what was written."""
    assert not holds_private(real(name).read_bytes())


@pytest.mark.parametrize("kind", ["hex", "dfuse", "dfuse in two elements", "pem", "base64 lines"])
def test_an_image_with_a_private_key_is_kept_in_no_form(tmp_path, kind):
    """In text that stands for bytes, or over the border of two elements."""
    key, application = private_key(), vectors(K)
    whole = application + key
    pem = b"-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(key)
    name, data = {
        "hex": ("app.hex", b"".join(hex_lines((APPLICATION, whole)))),
        "dfuse": ("app.dfu", dfuse((APPLICATION, whole))),
        "dfuse in two elements": (
            "app.dfu",
            dfuse((APPLICATION + K + 99, key[99:]), (APPLICATION, whole[: K + 99])),
        ),
        "pem": ("app.bin", application + pem),
        "base64 lines": ("app.hex", b"".join(hex_lines((APPLICATION, application + pem)))),
    }[kind]
    path = tmp_path / name
    path.write_bytes(data)
    with workshop(tmp_path / "s", "core-healthy", answers={"image": str(path)}) as shop:
        view = shop.run("particle.flash")
        assert view.verdict == "repaired"
        assert not shop.state.artefacts(view.run).exists()
        assert b"not kept in the record" in shop.state.journal(view.run).read_bytes()
