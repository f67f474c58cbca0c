"""Which key on the device is the one in a file that tells nothing of itself.

The rule: what a card signs, agrees or wraps is the only witness. A key without its certificate
shows its public half by its own answers (EC: agreed with the base point; RSA: powers of small
numbers), which counts only once a signature verifies under it. What cannot be told so is said to
be unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from console.errors import Refused
from console.families.smartcardhsm import curves, proof
from console.families.smartcardhsm.approach import Unit
from console.families.smartcardhsm.blob import Blob, KeyType, PublicKey
from console.families.smartcardhsm.client import ECDH, RAW_RSA, SmartCardHsm
from console.families.smartcardhsm.contents import Contents, HeldKey
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.keyfile import KeyFile

MODULI = (256, 384, 512, 192, 128)
"""Bytes of an RSA modulus, the usual ones first: the card takes a number of that length only."""
BASES = (2, 3, 5)
LARGEST_CHANCE = 1000
EXPONENT = 65537
"""Of every key that is made on such a card; a key of another is not told."""


def alike(unit: Unit, held: Contents, file: KeyFile) -> tuple[HeldKey, ...]:
    """The keys that show no public half and whose blob has the form of the file's.

    A key that does not come out is none of them: the file's did.
    """
    nameless = (key for key in held.present if key.public is None)
    return tuple(key for key in nameless if _form(_wrapped(unit, key.number)) == _form(file.blob))


def inside(unit: Unit, held: Contents, file: KeyFile, dkek: Dkek) -> HeldKey | None:
    """The key whose blob holds the very same secret; for kinds that show no public half at all."""
    found = (key for key in alike(unit, held, file) if holds(unit, key.number, file, dkek))
    return next(found, None)


def holds(unit: Unit, number: int, file: KeyFile, dkek: Dkek) -> bool:
    """Does what the device wraps of key `number` hold the very secret of the file?"""
    blob = _wrapped(unit, number)
    if blob is None or blob.type is not file.blob.type or not blob.genuine(dkek):
        return False
    return blob.open(dkek).parts == file.blob.open(dkek).parts


def _wrapped(unit: Unit, number: int) -> Blob | None:
    try:
        return Blob.parse(unit.hsm.wrap(number), f"key {number}")
    except Refused as error:
        if error.code == "reset":
            raise
        return None


def _form(blob: Blob | None) -> tuple[object, ...]:
    if blob is None:
        return ()
    return blob.kcv, blob.type, blob.oid, blob.algorithms, len(blob.cipher)


# --- a public half from the card's own answers ------------------------------------------------


def public_half(hsm: SmartCardHsm, number: int, kind: KeyType) -> PublicKey | None:
    """The public half of key `number`, proven by a signature; None where it cannot be told."""
    if kind is KeyType.AES:
        return None
    found = _of_curve(hsm, number) if kind is KeyType.EC else _of_rsa(hsm, number)
    return next((key for key in found if proof.proven(hsm, number, key)), None)


def _of_curve(hsm: SmartCardHsm, number: int) -> Iterator[PublicKey]:
    """Agreed with the base point, a key gives the x of its own point; y is one of two."""
    for curve in (*curves.CURVES, *curves.OLDER):
        given = _answer(lambda base: hsm.decipher(number, ECDH, base), bytes.fromhex(curve.base))
        size = (curve.bits + 7) // 8
        if len(given) <= size:
            continue
        for sign in (b"\x02", b"\x03"):
            try:
                point = sign + given[1 : 1 + size]
                yield ec.EllipticCurvePublicKey.from_encoded_point(curve.known, point)
            except ValueError:
                break  # not on that curve


def _of_rsa(hsm: SmartCardHsm, number: int) -> Iterator[PublicKey]:
    """The power of b*b and the square of b's power differ by a multiple of the modulus."""
    for size in MODULI:
        multiple = 0
        for base in BASES:
            one, two = (_power(hsm, number, value, size) for value in (base, base * base))
            multiple = gcd(multiple, one * one - two)
        modulus = _without_small_factors(multiple)
        if modulus.bit_length() == size * 8:
            yield rsa.RSAPublicNumbers(EXPONENT, modulus).public_key()


def _power(hsm: SmartCardHsm, number: int, value: int, size: int) -> int:
    given = _answer(lambda data: hsm.sign(number, RAW_RSA, data), value.to_bytes(size, "big"))
    return int.from_bytes(given, "big")


def _without_small_factors(multiple: int) -> int:
    """What chance put beside the modulus, whose own factors are large."""
    for factor in range(2, LARGEST_CHANCE):
        while multiple and multiple % factor == 0:
            multiple //= factor
    return multiple


def _answer(asked: Callable[[bytes], bytes], data: bytes) -> bytes:
    """b"" where the card refuses."""
    try:
        return asked(data)
    except Refused as error:
        if error.code == "reset":
            raise
        return b""
