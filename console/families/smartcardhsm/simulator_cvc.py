"""Card verifiable certificates: who a SmartCard-HSM says it is, and the requests it signs.

The rule: the form is the genuine one (TR-03110, the vendor's root certificate); the chain is made
up, with a root of our own, since nobody but the vendor can make theirs. Its keys are no secret.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm.simulator_blob import EC_OID, RSA_OID, point
from console.families.smartcardhsm.simulator_keys import Private
from console.protocols import tlv

ROLE = bytes.fromhex("2b0601040181c31f030101")
ROOT_ROLE, ISSUER_ROLE, DEVICE_ROLE = 0xC0, 0x80, 0x00
CERTIFICATE, BODY, SIGNATURE = 0x7F21, 0x7F4E, 0x5F37
PROFILE, AUTHORITY, PUBLIC_KEY, HOLDER = 0x5F29, 0x42, 0x7F49, 0x5F20
ROLES, FROM, UNTIL = 0x7F4C, 0x5F25, 0x5F24
AUTHENTICATED = 0x67


@dataclass(frozen=True)
class Issuer:
    """Who signs: its name (CHR), its number from which its key is derived, and its dates.

    Dates are YYMMDD, as in a certificate; the number is made up and no secret.
    """

    name: str
    number: int
    since: str
    until: str

    def key(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(self.number, ec.BrainpoolP256R1())


ROOT = Issuer("UTSRCACC100001", 0x5EED_0001 << 96 | 1, "121109", "321108")
"""The root of every simulated device unless it is given another."""
ISSUER = Issuer("UTDICC00001", 0x5EED_0002 << 96 | 1, "230314", "310313")
EXPIRED_ISSUER = Issuer("UTDICC00002", 0x5EED_0003 << 96 | 1, "150506", "230505")
STRANGE_ROOT = Issuer("STRANGEROOT00001", 0x5EED_0004 << 96 | 1, "200101", "400101")


def root_certificate(root: Issuer = ROOT) -> bytes:
    """The root's certificate, signed by itself, as a verifier has to be given it."""
    return _certificate(root.key(), root, root, root.key(), ROOT_ROLE)


def device_key(serial: str) -> ec.EllipticCurvePrivateKey:
    """The key of the device with that serial: the same each time it is made."""
    number = int.from_bytes(b"device " + serial.encode(), "big")
    return ec.derive_private_key(number, ec.BrainpoolP256R1())


def holder(serial: str) -> str:
    """The CHR of a device: its serial and a sequence number of five digits."""
    return f"{serial}00000"


def device_chain(serial: str, root: Issuer = ROOT, issuer: Issuer = ISSUER) -> bytes:
    """EF.C_DevAut: the device's certificate, then its issuer's."""
    device = Issuer(holder(serial), 0, issuer.since, issuer.until)
    return _certificate(
        device_key(serial), device, issuer, issuer.key(), DEVICE_ROLE
    ) + _certificate(issuer.key(), issuer, root, root.key(), ISSUER_ROLE)


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    subject: Issuer,
    signer: Issuer,
    signing: ec.EllipticCurvePrivateKey,
    role: int,
) -> bytes:
    body = tlv.encode(
        BODY,
        tlv.encode(PROFILE, b"\0"),
        tlv.encode(AUTHORITY, signer.name.encode()),
        public_key(key),
        tlv.encode(HOLDER, subject.name.encode()),
        tlv.encode(ROLES, tlv.encode(0x06, ROLE), tlv.encode(0x53, bytes((role,)))),
        tlv.encode(FROM, _date(subject.since)),
        tlv.encode(UNTIL, _date(subject.until)),
    )
    return tlv.encode(CERTIFICATE, body, tlv.encode(SIGNATURE, signature(signing, body)))


def request(key: Private, authority: bytes, name: bytes, outer: bytes, device: Private) -> bytes:
    """A key pair's certificate request, signed by the key and then by the device (67)."""
    body = tlv.encode(
        BODY,
        tlv.encode(PROFILE, b"\0"),
        tlv.encode(AUTHORITY, authority),
        public_key(key),
        tlv.encode(HOLDER, name),
    )
    inner = tlv.encode(CERTIFICATE, body, tlv.encode(SIGNATURE, signature(key, body)))
    inner += tlv.encode(AUTHORITY, outer)
    return tlv.encode(AUTHENTICATED, inner, tlv.encode(SIGNATURE, signature(device, inner)))


def public_key(key: Private) -> bytes:
    """The public key with all its domain parameters (TR-03110, D.3)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        curve = curves.of(key.curve)
        parts = (curve.p, curve.a, curve.b, curve.g, curve.n, point(key.public_key()), b"\x01")
        return tlv.encode(
            PUBLIC_KEY,
            tlv.encode(0x06, EC_OID),
            *(tlv.encode(0x81 + place, part) for place, part in enumerate(parts)),
        )
    numbers = key.public_key().public_numbers()
    return tlv.encode(
        PUBLIC_KEY,
        tlv.encode(0x06, RSA_OID),
        tlv.encode(0x81, numbers.n.to_bytes(key.key_size // 8, "big")),
        tlv.encode(0x82, numbers.e.to_bytes(3, "big")),
    )


def signature(key: Private, data: bytes) -> bytes:
    """With SHA-256: r and s side by side, or PKCS#1."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    size = (key.key_size + 7) // 8
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _date(digits: str) -> bytes:
    """Six bytes, a digit each."""
    return bytes(int(digit) for digit in digits)
