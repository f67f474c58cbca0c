"""Asking the card for a key pair, and the certification request for it in PEM.

The rule: the request (PKCS#10, RFC 2986) is put together and encoded by `cryptography`; the card
makes its one signature, so a request that verifies is the proof that the key works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from console.families.smartcardhsm import curves, cvc
from console.families.smartcardhsm.blob import PublicKey
from console.protocols import tlv

SIGN = Callable[[bytes], bytes]
"""The card's signature of a message: SHA-256 with PKCS#1 v1.5 padding; ECDSA as X9.62 writes it."""

RSA_SIZES = (2048, 3072, 4096)
ALGORITHMS = (*(f"rsa-{size}" for size in RSA_SIZES), *(curve.name for curve in curves.CURVES))
"""The key pairs that can be asked for."""
CAR = b"UTCA00001"
"""The issuer that other programs for this card name in such requests."""
EXPONENT = (65537).to_bytes(3, "big")
LIST = 0x91
PROFILE, OUTER = 0x5F29, 0x45
EC_TAGS = (0x81, 0x82, 0x83, 0x84, 0x85, 0x87)


def order(algorithm: str, holder: str, restrict_to: bytes = b"") -> bytes:
    """The data of GENERATE for one of ALGORITHMS; `restrict_to` is an algorithm list."""
    limits = tlv.encode(LIST, restrict_to) if restrict_to else b""
    return b"".join(
        (
            tlv.encode(PROFILE, b"\0"),
            tlv.encode(cvc.CAR, CAR),
            tlv.encode(cvc.KEY, *_key(algorithm)),
            tlv.encode(cvc.CHR, holder.encode()),
            limits,
        )
    )


def _key(algorithm: str) -> tuple[bytes, ...]:
    if algorithm.startswith("rsa-"):
        size = int(algorithm.removeprefix("rsa-")).to_bytes(2, "big")
        oid = tlv.encode(cvc.OID, cvc.RSA_OID + b"\x02")
        return oid, tlv.encode(0x82, EXPONENT), tlv.encode(0x02, size)
    curve = next(curve for curve in curves.CURVES if curve.name == algorithm)
    parts = zip(EC_TAGS, curve.domain(), strict=True)
    return tlv.encode(cvc.OID, cvc.EC_OID + b"\x03"), *(tlv.encode(*part) for part in parts)


def pem(label: str, key: PublicKey, sign: SIGN) -> bytes:
    """A certification request for CN=label, signed by the card."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label[:64])])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    card = _CardRsa(key, sign) if isinstance(key, rsa.RSAPublicKey) else _CardEc(key, sign)
    return builder.sign(card, hashes.SHA256()).public_bytes(Encoding.PEM)


def proves(request: bytes, key: PublicKey) -> bool:
    """Was the request signed by the private half of that very key?"""
    loaded = x509.load_pem_x509_csr(request)
    return loaded.is_signature_valid and loaded.public_key() == key


class _Abroad:
    """What a key on a card cannot do: show itself."""

    def private_bytes(self, *_: Any) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request

    def private_numbers(self) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request

    def __copy__(self) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request

    def __deepcopy__(self, _: Any) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request


class _CardRsa(_Abroad, rsa.RSAPrivateKey):
    """A private key that is on the card, as far as a request needs one."""

    def __init__(self, key: rsa.RSAPublicKey, sign: SIGN) -> None:
        self._key, self._sign = key, sign

    @property
    def key_size(self) -> int:
        return self._key.key_size

    def public_key(self) -> rsa.RSAPublicKey:
        return self._key

    def decrypt(self, *_: Any) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request

    def sign(self, data: Any, *_: Any) -> bytes:
        return self._sign(bytes(data))


class _CardEc(_Abroad, ec.EllipticCurvePrivateKey):
    """The same for a curve."""

    def __init__(self, key: ec.EllipticCurvePublicKey, sign: SIGN) -> None:
        self._key, self._sign = key, sign

    @property
    def curve(self) -> ec.EllipticCurve:
        return self._key.curve

    @property
    def key_size(self) -> int:
        return self._key.key_size

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._key

    def exchange(self, *_: Any) -> NoReturn:
        raise NotImplementedError  # the library asks none of this for a request

    def sign(self, data: Any, *_: Any) -> bytes:
        return self._sign(bytes(data))
