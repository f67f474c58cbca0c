"""Who signs firmware for these devices.

The rule: product data with its source named; what is not in this table is an unknown signer.
Source: the vendor's published SDK (package nitrokey 0.5.0: nk3, nkpk, trussed._bootloader.lpc55).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

ROOT_KEYS_HASH = bytes.fromhex("050aad3e77791a81e59c5b2ba5a158937e9460ee325d8ccba09734b8fdebb171")
"""RKTH: SHA-256 over the table of four root key hashes that is fused into each LPC55."""

_P256 = "3059301306072a8648ce3d020106082a8648ce3d030107034200"


@dataclass(frozen=True)
class Signer:
    """One who signs nRF52 images. A test key's images run on development devices only."""

    name: str
    official: bool
    product: str
    spki: str

    @property
    def key(self) -> EllipticCurvePublicKey:
        return _loaded(self.spki)


@cache
def _loaded(spki: str) -> EllipticCurvePublicKey:
    key = load_der_public_key(bytes.fromhex(spki))
    assert isinstance(key, EllipticCurvePublicKey)
    return key


NITROKEY3, PASSKEY = "Nitrokey 3", "Nitrokey Passkey"
SIGNERS = (
    Signer(
        "Nitrokey",
        True,
        NITROKEY3,
        _P256 + "04a0849b19007ccd4661c01c533804b7fd0c4d8c0e7583653f1f36a8331afff298"
        "b542bd00a3dc47c16bf428ac4d2864137d63f702d89e5b42674e0549b4232618",
    ),
    Signer(
        "Nitrokey's test key",
        False,
        NITROKEY3,
        _P256 + "0493e461ab0582bda1f45b0ce47d66bc4e8623e289c31af2098cde6ebd8631da85"
        "acf17e412d406c1e38c2de654a8fd0196506a85b169a756aeac2505a541cdd5d",
    ),
    Signer(
        "Nitrokey",
        True,
        PASSKEY,
        _P256 + "0445121cdf7a10826faa58c8cbe7bb1a40fe71c85c7756324eac09610d4710e9da"
        "dd473c0c9d35838b5cce301e796b2e14a8c29c86f0eb15f36325096506e275e6",
    ),
    Signer(
        "Nitrokey's test key",
        False,
        PASSKEY,
        _P256 + "04d9a355a2927bd6ecb7ed714294d4692ad31ae9dd21853bf99e2cf7182d1acd6c"
        "2ada4a9707ab43f9e6194480d94e477dce4de9be5c35119c714bac459b21cbdc",
    ),
)
