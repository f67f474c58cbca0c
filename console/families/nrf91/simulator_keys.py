"""What a modem does with keys: certificate requests, COSE signatures, certificates looked into.

The rule: real keys and real signatures, from the library; the messages are those of modem
firmware 1.3 (nRF Cloud's published examples show their bytes).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from console.families.nrf91.simulator_contents import key_of

SELF_DESCRIBED, SIGN1 = 55799, 18
"""CBOR tags: self-described CBOR (RFC 8949, 3.4.6) and COSE_Sign1 (RFC 9052, 4.2)."""
ALGORITHM, KEY_ID, ES256, IDENTITY_KEY = 1, 4, -7, -2
IDENTITY_MESSAGE, PUBLIC_KEY_MESSAGE, REQUEST_MESSAGE = 1, 8, 9
DEVICE_TYPES = {"nRF9160-SICA": 3, "nRF9151-LACA": 4}
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
USUAL = "111010000"
"""The usages in a request when the command names none: bits in the order of X.509."""


@dataclass(frozen=True)
class Identity:
    """One unit: its IMEI and the UUID in its attestation; made up, as its identity key is."""

    imei: str
    uuid: uuid.UUID
    model: str

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return key_of(f"identity {self.imei}")


@dataclass(frozen=True)
class MadeKey:
    """A key pair made in the modem; `pem` goes into the store and nowhere else."""

    pem: str = field(repr=False)
    public: bytes


def make_key() -> MadeKey:
    """A P-256 pair; its public half as SubjectPublicKeyInfo, DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return MadeKey(pem.decode("ascii").rstrip("\n"), public_half(pem))


def public_half(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def request(made: MadeKey, who: Identity, attributes: str, usage: str) -> bytes:
    """A certificate request, DER. Raises ValueError for attributes or usage that are none."""
    subject = (
        x509.Name.from_rfc4514_string(attributes)
        if attributes
        else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(who.uuid))])
    )
    key = serialization.load_pem_private_key(made.pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    built = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .add_extension(_usage(usage or USUAL), critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.DER)


def _usage(bits: str) -> x509.KeyUsage:
    if not bits or set(bits) - {"0", "1"} or len(bits) > len(USAGES):
        raise ValueError("no bits")
    wanted = bits.ljust(len(USAGES), "0")
    return x509.KeyUsage(**{name: bit == "1" for name, bit in zip(USAGES, wanted, strict=True)})


def signed(body: bytes, who: Identity, message: int, tag: int) -> str:
    """Both halves of a %KEYGEN answer: the body, and the identity key's word for it."""
    payload = cbor2.CBORTag(
        SELF_DESCRIBED,
        [
            message,
            who.uuid.bytes,
            cbor2.dumps(tag),
            hashlib.sha256(body).digest(),
            secrets.token_bytes(16),
        ],
    )
    return f"{_url64(body)}.{_url64(_sign1(cbor2.dumps(payload), who))}"


def attestation(who: Identity, firmware: uuid.UUID, nonce: bytes) -> str:
    """The token of %ATTESTTOKEN; the signature's payload is the message itself, left out."""
    kind = DEVICE_TYPES.get(who.model, 0)
    message = cbor2.dumps(
        cbor2.CBORTag(
            SELF_DESCRIBED,
            [IDENTITY_MESSAGE, who.uuid.bytes, kind, firmware.bytes, nonce or b""],
        )
    )
    return f"{_url64(message)}.{_url64(_sign1(message, who, attached=False))}"


def _sign1(payload: bytes, who: Identity, *, attached: bool = True) -> bytes:
    protected = cbor2.dumps({ALGORITHM: ES256})
    signing = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = decode_dss_signature(who.key.sign(signing, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32) + s.to_bytes(32)
    parts = [
        protected,
        {KEY_ID: cbor2.dumps(IDENTITY_KEY)},
        payload if attached else None,
        signature,
    ]
    return cbor2.dumps(cbor2.CBORTag(SIGN1, parts))


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def is_certificate(content: bytes) -> bool:
    """As modem firmware 2.0.2 judges: PEM that parses, lines ended by LF."""
    return b"\r" not in content and b"\\n" not in content and _certificate(content) is not None


def _certificate(content: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(content)[0]
    except ValueError:
        return None


def expiry(content: bytes) -> str | None:
    """Serial number and dates as %CERTEXPIRY tells them; None if it is no certificate."""
    found = _certificate(content)
    if found is None:
        return None
    serial = f"{found.serial_number:X}"
    begins, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return (
        f"{serial.zfill(len(serial) + len(serial) % 2)},{begins:%Y%m%d%H%M%SZ},{ends:%Y%m%d%H%M%SZ}"
    )
