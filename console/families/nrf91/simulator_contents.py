"""Made-up credentials that a simulated modem holds: a small PKI, the same in every run.

The rule: nobody's. Keys derive from their names, certificates have fixed dates and signatures
without randomness (RFC 6979), so that a job sheet can name what a scenario has lost.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MADE = datetime(2021, 3, 1, tzinfo=UTC)
ENDS = datetime(2041, 3, 1, tzinfo=UTC)


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of that name."""
    scalar = int.from_bytes(hashlib.sha256(f"replug nrf91 {name}".encode()).digest())
    return ec.derive_private_key(scalar, ec.SECP256R1())


def private_pem(name: str) -> str:
    """PKCS#8, lines ended by LF, none after the last."""
    raw = key_of(name).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return raw.decode("ascii").rstrip("\n")


@cache
def certificate_pem(name: str, issuer: str = "") -> str:
    """The certificate of the key of that name; without an issuer, a root CA's own."""
    subject = _named(name)
    signer = issuer or name
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(_named(signer))
        .public_key(key_of(name).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) | 1)
        .not_valid_before(MADE)
        .not_valid_after(ENDS)
        .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None), critical=True)
    )
    made = builder.sign(key_of(signer), hashes.SHA256(), ecdsa_deterministic=True)
    return made.public_bytes(serialization.Encoding.PEM).decode("ascii").rstrip("\n")


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def psk(name: str) -> str:
    """A pre-shared key as the modem takes it: hexadecimal digits."""
    return hashlib.sha256(f"replug psk {name}".encode()).hexdigest()[:32].upper()


def client(name: str, issuer: str) -> tuple[str, str]:
    """Certificate and private key of a client, PEM each."""
    return certificate_pem(name, issuer), private_pem(name)


def store_of_case_5() -> dict[tuple[int, int], str]:
    """(tag, type) -> content in the order of writing: tag 3 first, by cable, months ago."""
    certificate, key = client("probe-17.example", "Depot CA")
    return {
        (3, 0): certificate_pem("Depot CA"),
        (3, 1): certificate,
        (3, 2): key,
        (16842753, 4): "probe-17",
        (16842753, 3): psk("probe-17"),
        (1, 0): certificate_pem("Field CA 1"),
        (2, 0): certificate_pem("Field CA 2"),
    }


def rewritten(tag: int) -> str:
    """The root CA that the rewriting application carries for that tag."""
    return certificate_pem(f"Field CA {tag}")
