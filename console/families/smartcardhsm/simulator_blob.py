"""Key blobs and the key that wraps them: the DKEK, put together from shares by XOR.

The rule: byte for byte what genuine cards write and read (reference card-protocols, 2.4, 2.5):
check value and MAC are compared before a byte of the key is believed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm.simulator_apdu import Denied, Status
from console.families.smartcardhsm.simulator_keys import Key, Private

SHARE = 32
CHECK = 8
MAC = 16
BLOCK = 16
RSA_PLAIN, RSA_CRT, EC = 0x05, 0x06, 0x0C
RSA_OID = bytes.fromhex("04007f00070202020102")
EC_OID = bytes.fromhex("04007f00070202020203")

Entropy = Callable[[int], bytes]


@dataclass
class Domain:
    """One key domain: how many shares it takes, how many it has, and their XOR. None in a repr."""

    shares: int
    outstanding: int
    secret: bytes = field(repr=False, default=bytes(SHARE))

    @property
    def complete(self) -> bool:
        return self.outstanding == 0

    @property
    def check_value(self) -> bytes:
        """The first eight bytes of SHA-256 of the DKEK; zeros while shares are missing."""
        return hashlib.sha256(self.secret).digest()[:CHECK] if self.complete else bytes(CHECK)

    def status(self) -> bytes:
        return bytes((self.shares, self.outstanding)) + self.check_value

    def add(self, share: bytes) -> None:
        """Raises Denied: it has all its shares (6985), or this is none (6700)."""
        if len(share) != SHARE:
            raise Denied(Status.WRONG_LENGTH)
        if self.complete:
            raise Denied(Status.CONDITIONS)
        self.secret = bytes(a ^ b for a, b in zip(self.secret, share, strict=True))
        self.outstanding -= 1

    def freeze(self) -> dict[str, Any]:
        return {
            "shares": self.shares,
            "outstanding": self.outstanding,
            "secret": self.secret.hex(),
        }


def thawed(frozen: Mapping[str, Any]) -> Domain:
    return Domain(frozen["shares"], frozen["outstanding"], bytes.fromhex(frozen["secret"]))


def begun(shares: int, entropy: Entropy) -> Domain:
    """A domain as INITIALIZE leaves it; one of no shares has a DKEK that nobody knows."""
    return Domain(shares, shares, bytes(SHARE) if shares else entropy(SHARE))


# --- the blob -----------------------------------------------------------------------------


def wrap(key: Key, domain: Domain, entropy: Entropy) -> bytes:
    """The blob of a key under a complete domain."""
    kind, oid = (
        (EC, EC_OID)
        if isinstance(key.private, ec.EllipticCurvePrivateKey)
        else (
            RSA_CRT,
            RSA_OID,
        )
    )
    header = domain.check_value + bytes((kind,))
    header += b"".join(_counted(part) for part in (oid, key.algorithms, b"", b""))
    plain = entropy(8) + key.private.key_size.to_bytes(2, "big")
    plain += b"".join(_counted(part) for part in _components(key.private))
    if len(plain) % BLOCK:
        plain += b"\x80"
        plain = plain.ljust(-(-len(plain) // BLOCK) * BLOCK, b"\0")
    sealed = _cbc(domain).encryptor()
    body = header + sealed.update(plain) + sealed.finalize()
    return body + _mac(domain, body)


def unwrap(blob: bytes, domain: Domain, imports_lists: bool, number: int) -> Key:
    """The key in a blob. Raises Denied: 6A80 for another DKEK or a blob that was changed.

    6F00 from a firmware that takes no algorithm list, once the blob has proved genuine.
    """
    body, mac = blob[:-MAC], blob[-MAC:]
    if blob[:CHECK] != domain.check_value or not hmac.compare_digest(mac, _mac(domain, body)):
        raise Denied(Status.WRONG_DATA)
    kind = body[CHECK]
    rest = _Parts(body[CHECK + 1 :])
    _, listed, _, _ = (rest.next() for _ in range(4))
    if listed and not imports_lists:
        raise Denied(Status.INTERNAL)
    if len(rest.left) % BLOCK:
        raise Denied(Status.WRONG_DATA)
    opened = _cbc(domain).decryptor()
    plain = opened.update(rest.left) + opened.finalize()
    try:
        private = _private(kind, int.from_bytes(plain[8:10], "big"), _Parts(plain[10:]))
    except ValueError:
        raise Denied(Status.WRONG_DATA) from None
    return Key(private, listed, number)


class _Parts:
    """Parts that are each led by their length in 16 bits."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def next(self) -> bytes:
        size = int.from_bytes(self.left[:2], "big")
        if len(self.left) < 2 + size:
            raise Denied(Status.WRONG_DATA)
        part, self.left = self.left[2 : 2 + size], self.left[2 + size :]
        return part

    def numbers(self, count: int) -> list[int]:
        return [int.from_bytes(self.next(), "big") for _ in range(count)]


def _counted(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part


def _components(private: Private) -> Iterator[bytes]:
    """What stands in the blob of a key, each number as long as it always is."""
    if isinstance(private, ec.EllipticCurvePrivateKey):
        curve = curves.of(private.curve)
        yield from (curve.a, curve.b, curve.p, curve.n, curve.g)
        yield private.private_numbers().private_value.to_bytes(len(curve.n), "big")
        yield point(private.public_key())
        return
    numbers = private.private_numbers()
    size = private.key_size // 8
    halves = (numbers.dmp1, numbers.dmq1, numbers.p, numbers.iqmp, numbers.q)
    yield from (half.to_bytes(size // 2, "big") for half in halves)
    yield numbers.public_numbers.n.to_bytes(size, "big")
    yield numbers.public_numbers.e.to_bytes(3, "big")


def _private(kind: int, bits: int, parts: _Parts) -> Private:
    """Raises ValueError or Denied if the numbers make no key of that kind and size."""
    if kind == EC:
        return _ec(bits, parts)
    if kind == RSA_CRT:
        _, _, p, _, q, n, e = parts.numbers(7)
        d = rsa.rsa_recover_private_exponent(e, p, q)
    elif kind == RSA_PLAIN:
        d, n, e = parts.numbers(3)
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
    else:
        raise Denied(Status.WRONG_DATA)
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(e, n),
    )
    private = numbers.private_key()
    if private.key_size != bits:
        raise Denied(Status.WRONG_DATA)
    return private


def _ec(bits: int, parts: _Parts) -> ec.EllipticCurvePrivateKey:
    """The prime names the curve; A may be empty, as an emulation writes it."""
    _, _, p, _, _, d, q = (parts.next() for _ in range(7))
    curve = curves.by_prime(p)
    if curve is None or curve.bits != bits:
        raise Denied(Status.WRONG_DATA)
    private = ec.derive_private_key(int.from_bytes(d, "big"), curve.named)
    if point(private.public_key()) != q:
        raise Denied(Status.WRONG_DATA)
    return private


def point(public: ec.EllipticCurvePublicKey) -> bytes:
    """04, x, y."""
    numbers = public.public_numbers()
    size = (public.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def _derived(domain: Domain, number: int) -> bytes:
    return hashlib.sha256(domain.secret + number.to_bytes(4, "big")).digest()


def _cbc(domain: Domain) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(_derived(domain, 1)), modes.CBC(bytes(BLOCK)))


def _mac(domain: Domain, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(_derived(domain, 2)))
    mac.update(data)
    return mac.finalize()
