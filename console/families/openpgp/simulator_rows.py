"""The OpenPGP cards that can be simulated, a row each: objects, status words, manners, pace.

The rule: data only. Rows marked "captured" repeat what such a card was seen to answer; the
others follow its maker's published behaviour. Nothing here is shared with the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from console.families.openpgp.simulator_words import Sw

TRIES = 3
NO_BYTES: tuple[int, ...] = ()


class Which(StrEnum):
    PW1 = "pw1"
    CODE = "code"
    PW3 = "pw3"


DEFAULTS = MappingProxyType({Which.PW1: b"123456", Which.CODE: b"", Which.PW3: b"12345678"})


class Wrong(StrEnum):
    """How a wrong PIN is answered."""

    PLAIN = "6982, then 6983 once it is blocked"
    FOREVER = "6982, whatever is left"
    COUNTED = "63Cx, and 63C0 when it is blocked"
    COUNTED_BLOCKED = "63Cx, and 6983 from the try that blocks it"


class Wipe(StrEnum):
    """When a reset takes the data."""

    ACTIVATE = "with ACTIVATE FILE"
    TERMINATE = "with TERMINATE DF, and the card goes on at once"


Span = tuple[float, float]
"""Seconds: the shortest and the longest seen."""


def rsa(bits: int, form: int = 0, exponent: int = 32) -> bytes:
    """Attributes of an RSA key (OpenPGP card 3.4, 4.4.3.9)."""
    return bytes((1,)) + bits.to_bytes(2, "big") + exponent.to_bytes(2, "big") + bytes((form,))


@dataclass(frozen=True)
class Personality:
    """One kind of card. `historical` is object 5F52 of a card in use (its life cycle byte 05).

    `algorithms` holds, a slot each, the attributes it takes and tells in object FA; a new card is
    set to `first`. `inside` and
    `discretionary` are the order of objects 6E and 73. An object of `unset` that nobody wrote
    reads as that value, or is not there (None). `pace` is keyed by operation and by algorithm
    ("rsa2048", or "" for the rest).
    """

    name: str
    atr: bytes
    version: bytes
    maker: bytes
    historical: bytes
    capabilities: bytes
    algorithms: tuple[tuple[bytes, ...], ...]
    pace: Mapping[tuple[str, str], Span]
    first: bytes = rsa(2048)
    # --- the wire
    extended: int = 0
    """Most bytes of a command and of an answer; 0: short APDUs only."""
    lengths: bytes = b""
    chaining: bool = True
    # --- SELECT and the life cycle
    select: bytes = b""
    whole_name: bool = False
    """Takes the six-byte name and no other."""
    life_cycle: bool = True
    wipe: Wipe = Wipe.ACTIVATE
    terminated: int = Sw.TERMINATED
    """What all but SELECT and ACTIVATE FILE is answered with then."""
    select_terminated: int = Sw.TERMINATED
    """What SELECT is answered with then."""
    terminated_twice: int = Sw.TERMINATED
    active: int = Sw.OK
    """ACTIVATE FILE where there is nothing to activate."""
    not_terminated: int = Sw.SECURITY
    admin_terminates: bool = True
    """A PW3 that was given allows TERMINATE DF, not only one that is blocked."""
    # --- objects
    inside: tuple[int, ...] = (0x4F, 0x5F52, 0x7F66, 0x7F74, 0x73)
    discretionary: tuple[int, ...] = (
        *(0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xCD),
        *(0xDE, 0xD6, 0xD7, 0xD8),
    )
    missing: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    """Read only as a part of 6E, 65 or 7A; 6A80 by themselves."""
    outer: tuple[int, ...] = ()
    """Come with their own tag and length."""
    surplus: int = 0
    """Bytes that the length of object FA counts and that are not there."""
    tells: tuple[tuple[bytes, ...], ...] = ()
    """What object FA has instead of `algorithms`."""
    wide: tuple[int, ...] = ()
    """Have a two-byte length in 6E although one would do."""
    unset: Mapping[int, bytes] = field(default_factory=dict)
    holder_skips_empty: bool = False
    """Object 65 leaves out what nobody wrote."""
    references: tuple[int, ...] = (1, 2, 3)
    """Key references in object DE."""
    more_information: bytes = b""
    certificates: int = 3
    button: bool = False
    untouched: int = Sw.SECURITY_ISSUE
    touch_policies: tuple[int, ...] = (0, 1, 2)
    # --- PINs
    several: bool = True
    longest: bytes = bytes((0x7F, 0x7F, 0x7F))
    shortest: Mapping[Which, int] = field(
        default_factory=lambda: {Which.PW1: 6, Which.CODE: 8, Which.PW3: 8}
    )
    code_shown: int = 0
    """Tries of the reset code in C4 while there is none."""
    wrong: Wrong = Wrong.PLAIN
    change_wrong: int = 0
    """6300, or 0 where CHANGE REFERENCE DATA answers as VERIFY does."""
    length_first: bool = False
    """A PIN of an impossible length is told (6700) and not counted."""
    too_short: int = Sw.CONDITIONS
    too_short_reset: int = 0
    asks_are_tries: bool = False
    """VERIFY without data counts as a wrong PIN."""
    unverify: bool = False
    relocks: bool = True
    """A wrong PIN takes back that it was given before."""
    admin_less: bool = False
    """Until PW3 is set, PW1 is both; and a key that is written takes PW1 back to its default."""
    kdf_length: int = 0
    """What a PIN that is no hash is answered while a KDF is set, uncounted; 0: as a wrong one."""
    firmware: bytes = b""
    """A YubiKey's own commands are there, and F1 tells this (BCD)."""
    # --- keys
    no_key: int = Sw.NO_REFERENCE
    bad_attributes: int = Sw.DATA
    either_form: bool = False
    """Curves are taken with and without the byte FF at their end."""
    forgets_print: bool = False
    """New attributes take fingerprint and time of the slot too."""
    cannot_generate: tuple[str, ...] = ()
    cannot_code: int = Sw.MEMORY


# --- algorithms ---------------------------------------------------------------------------


P256, P384, P521 = "2a8648ce3d030107", "2b81040022", "2b81040023"
K256 = "2b8104000a"
BRAINPOOL = ("2b2403030208010107", "2b240303020801010b", "2b240303020801010d")
ED25519, X25519 = "2b06010401da470f01", "2b060104019755010501"
ED448, X448 = "2b6571", "2b656f"
ECDH, ECDSA, EDDSA = 0x12, 0x13, 0x16


def curves(kind: int, *oids: str, end: str = "") -> tuple[bytes, ...]:
    return tuple(bytes((kind,)) + bytes.fromhex(oid + end) for oid in oids)


def _offer(
    sizes: tuple[bytes, ...], weierstrass: tuple[str, ...], modern: bool, end: str = ""
) -> tuple[tuple[bytes, ...], ...]:
    sign = curves(ECDSA, *weierstrass, end=end) + (curves(EDDSA, ED25519, end=end) * modern)
    decrypt = curves(ECDH, *weierstrass, end=end) + (curves(ECDH, X25519, end=end) * modern)
    return (sizes + sign, sizes + decrypt, sizes + sign)


_RSA_V2 = tuple(rsa(bits) for bits in (2048, 1024, 3072))
_RSA_V3 = tuple(rsa(bits) for bits in (2048, 3072, 4096))
_NIST = (P256, P384, P521)

# --- pace ---------------------------------------------------------------------------------

_ZEITCONTROL = {
    ("generate", "rsa1024"): (5.0, 20.0),
    ("generate", "rsa2048"): (20.0, 120.0),
    ("generate", "rsa3072"): (60.0, 240.0),
    ("generate", "rsa4096"): (300.0, 900.0),
    ("generate", ""): (0.5, 2.0),
    ("use", "rsa3072"): (1.5, 2.5),
    ("use", "rsa4096"): (3.0, 5.0),
    ("use", ""): (0.3, 1.0),
    ("import", ""): (0.3, 1.5),
}
_GNUK = {
    ("generate", "rsa2048"): (60.0, 180.0),
    ("generate", "rsa4096"): (5.0, 15.0),
    ("generate", ""): (0.3, 1.0),
    ("use", "rsa2048"): (1.2, 1.6),
    ("use", "rsa4096"): (8.2, 9.5),
    ("use", ""): (0.1, 0.5),
    ("import", ""): (0.5, 3.0),
}
_NITROKEY_3 = {
    ("generate", "rsa2048"): (10.0, 60.0),
    ("generate", "rsa3072"): (60.0, 240.0),
    ("generate", "rsa4096"): (120.0, 600.0),
    ("generate", ""): (0.2, 1.0),
    ("use", "rsa2048"): (1.0, 2.0),
    ("use", "rsa3072"): (3.0, 5.0),
    ("use", "rsa4096"): (6.0, 10.0),
    ("use", ""): (0.2, 0.6),
    ("import", ""): (0.2, 2.0),
}
_FAST = {
    ("generate", "rsa2048"): (1.0, 10.0),
    ("generate", "rsa3072"): (4.0, 30.0),
    ("generate", "rsa4096"): (10.0, 60.0),
    ("generate", ""): (0.1, 1.0),
    ("use", ""): (0.05, 0.4),
    ("import", ""): (0.1, 0.5),
}

# --- the rows -----------------------------------------------------------------------------

_V2_PARTS = (0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xCD)
_V2_MISSING = (0x7F66, 0x7F74, 0xDE, 0xD6, 0xD7, 0xD8, 0xF9, 0xFA)
_SEX = {0x5F35: b"9"}

ZEITCONTROL_2_0 = Personality(
    name="ZeitControl 2.0",
    atr=bytes.fromhex("3bda18ff81b1fe751f030031c573c001400090000c"),
    version=bytes.fromhex("0200"),
    maker=bytes.fromhex("0005"),
    historical=bytes.fromhex("0031c573c00140009000"),
    capabilities=bytes.fromhex("7c000800080008000800"),
    algorithms=(_RSA_V2, _RSA_V2, _RSA_V2),
    pace=_ZEITCONTROL,
    extended=2048,
    chaining=False,
    inside=(0x4F, 0x5F52, 0x73),
    discretionary=_V2_PARTS,
    missing=_V2_MISSING,
    unset=_SEX,
    certificates=1,
    longest=bytes((0x20, 0x20, 0x20)),
    admin_terminates=False,
    not_terminated=Sw.CONDITIONS,
    asks_are_tries=True,
    too_short=Sw.SECURITY,
)
ZEITCONTROL_2_1 = Personality(
    name="ZeitControl 2.1",
    atr=bytes.fromhex("3bda18ff81b1fe751f030031c573c0014005900009"),
    version=bytes.fromhex("0201"),
    maker=bytes.fromhex("0005"),
    historical=bytes.fromhex("0031c573c00140059000"),
    capabilities=bytes.fromhex("7c000800080008000800"),
    algorithms=(_RSA_V2, _RSA_V2, _RSA_V2),
    pace=_ZEITCONTROL,
    extended=2048,
    chaining=False,
    inside=(0x4F, 0x5F52, 0x73),
    discretionary=_V2_PARTS,
    missing=_V2_MISSING,
    unset=_SEX,
    certificates=1,
    longest=bytes((0x20, 0x20, 0x20)),
    not_terminated=Sw.CONDITIONS,
    asks_are_tries=True,
    too_short=Sw.SECURITY,
)
ZEITCONTROL_3_3 = Personality(
    name="ZeitControl 3.3",
    atr=bytes.fromhex("3bda18ff81b1fe751f030031f573c0016005900019"),
    version=bytes.fromhex("0303"),
    maker=bytes.fromhex("0005"),
    historical=bytes.fromhex("0031f573c00160059000"),
    capabilities=bytes.fromhex("7d000800080008000001"),
    algorithms=_offer(_RSA_V3, _NIST + BRAINPOOL, modern=False),
    pace=_ZEITCONTROL,
    extended=2048,
    lengths=bytes.fromhex("0202080002020800"),
    chaining=False,
    inside=(0x4F, 0x5F52, 0x7F66, 0x73),
    discretionary=_V2_PARTS,
    # key information and the list of algorithms came with 3.4; it has no button
    missing=(0x7F74, 0xDE, 0xD6, 0xD7, 0xD8, 0xFA),
    unset={**_SEX, 0xF9: bytes.fromhex("810100")},
    longest=bytes((0x20, 0x20, 0x20)),
    unverify=True,
    too_short=Sw.SECURITY,
)

_GNUK_ALGORITHMS = (
    (rsa(2048), rsa(4096), *curves(ECDSA, P256, K256), *curves(EDDSA, ED25519)),
    (rsa(2048), rsa(4096), *curves(ECDSA, P256, K256), *curves(ECDH, X25519)),
    (rsa(2048), rsa(4096), *curves(ECDSA, P256, K256), *curves(EDDSA, ED25519)),
)
"""Captured: it says 13 (ECDSA) for its decryption curves too."""


def _gnuk(name: str, shortest: int, certificate: str, life_cycle: bool = True) -> Personality:
    lcs = "05" if life_cycle else "00"
    return Personality(
        name=name,
        atr=bytes.fromhex(f"3bda11ff81b1fe551f0300318473800180{lcs}9000")
        + (b"\xe1" if life_cycle else b"\xe4"),
        version=bytes.fromhex("0200"),
        maker=bytes.fromhex("fffe"),
        historical=bytes.fromhex(f"00318473800180{lcs}9000"),
        capabilities=bytes.fromhex(f"75000020{certificate}00ff0100"),
        algorithms=_GNUK_ALGORITHMS,
        pace=_GNUK,
        whole_name=True,
        life_cycle=life_cycle,
        active=Sw.NO_REFERENCE,
        inside=(0x4F, 0x5F52, 0x73, 0x7F74),
        discretionary=(*_V2_PARTS, 0xD6, 0xD7, 0xD8),
        missing=(0x7F66, 0xDE, 0x0101, 0x0102, 0x0103, 0x0104),
        holder_skips_empty=True,
        certificates=0,
        button=True,
        several=False,
        shortest={Which.PW1: shortest, Which.CODE: shortest, Which.PW3: shortest},
        code_shown=3,
        admin_less=True,
        kdf_length=Sw.CONDITIONS,
        bad_attributes=Sw.NO_REFERENCE,
        forgets_print=True,
        cannot_generate=("rsa4096",),
    )


GNUK_START = _gnuk("Gnuk 1.2.19 (Nitrokey Start)", 14, "0000")
"""Captured: built without a certificate, and it wants PINs of 14 characters."""
GNUK = _gnuk("Gnuk 1.2", 6, "0800")
GNUK_NO_LIFE_CYCLE = _gnuk("Gnuk 1.2 without life cycle", 6, "0800", life_cycle=False)

OPCARD = Personality(
    name="opcard (Nitrokey 3)",
    atr=bytes.fromhex("3b8f01805d4e6974726f6b657900000000006a"),
    version=bytes.fromhex("0304"),
    maker=bytes.fromhex("000f"),
    historical=bytes.fromhex("0031f573c001e0059000"),
    capabilities=bytes.fromhex("3f001000100010000001"),
    algorithms=_offer(_RSA_V3, _NIST + BRAINPOOL, modern=True, end="ff"),
    pace=_NITROKEY_3,
    extended=7609,
    lengths=bytes.fromhex("02021db902021db9"),
    terminated=Sw.CONDITIONS,
    terminated_twice=Sw.OK,
    not_terminated=Sw.CONDITIONS,
    hidden=(
        *(0x73, 0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xCD),
        *(0x5B, 0x5F2D, 0x5F35, 0x7F66, 0x93),
    ),
    unset={0x5F35: b"0"},
    button=True,
    untouched=Sw.SECURITY,
    wrong=Wrong.COUNTED,
    change_wrong=Sw.FAILED,
    too_short=Sw.LENGTH,
    too_short_reset=Sw.DATA,
    unverify=True,
    relocks=False,
    either_form=True,
)
_YUBIKEY_5_FAULT = curves(EDDSA, ED25519, X25519)
"""Before 5.6.1 object FA has X25519 as an EdDSA curve, and both in every slot."""
_YUBIKEY_5_SIGNS = _RSA_V3 + curves(ECDSA, *_NIST, K256, *BRAINPOOL) + _YUBIKEY_5_FAULT
YUBIKEY_5 = Personality(
    name="YubiKey 5",
    atr=bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940"),
    version=bytes.fromhex("0304"),
    maker=bytes.fromhex("0006"),
    historical=bytes.fromhex("00730000e0059000"),
    capabilities=bytes.fromhex("7d000bfe080000ff0000"),
    algorithms=_offer(_RSA_V3, (P256, P384, P521, K256, *BRAINPOOL), modern=True),
    tells=(
        _YUBIKEY_5_SIGNS,
        _RSA_V3 + curves(ECDH, *_NIST, K256, *BRAINPOOL) + _YUBIKEY_5_FAULT,
        _YUBIKEY_5_SIGNS,
    ),
    pace=_FAST,
    extended=3070,
    lengths=bytes.fromhex("02020bfe02020bfe"),
    # its maker's own host (yubikit) reads these four with their tags only
    outer=(0x6E, 0x65, 0x7A, 0xFA),
    unset={0x5F35: b"0"},
    more_information=bytes.fromhex("8102"),
    button=True,
    touch_policies=(0, 1, 2, 3, 4),
    unverify=True,
    too_short=Sw.DATA,
    either_form=True,
    firmware=bytes.fromhex("050403"),
)
PICO_RSA = tuple(rsa(bits) for bits in (1024, 2048, 3072, 4096))
_PICO_WEIERSTRASS = (K256, P256, P384, P521, *BRAINPOOL)
PICO_OFFER = (
    PICO_RSA + curves(ECDSA, *_PICO_WEIERSTRASS) + curves(EDDSA, ED25519, ED448),
    PICO_RSA + curves(ECDSA, *_PICO_WEIERSTRASS) + curves(ECDH, X25519, X448),
    PICO_RSA + curves(ECDSA, *_PICO_WEIERSTRASS) + curves(EDDSA, ED25519, ED448),
)
PICO = Personality(
    name="pico-openpgp 3.4",
    atr=bytes.fromhex("3bda18ff81b1fe751f030031f573c001600090001c"),
    version=bytes.fromhex("0304"),
    maker=bytes.fromhex("fffe"),
    historical=bytes.fromhex("003184738001c0059000"),
    capabilities=bytes.fromhex("7f00040007f407f40001"),
    algorithms=PICO_OFFER,
    pace=_FAST,
    extended=2038,
    lengths=bytes.fromhex("020207f6020207f6"),
    select=bytes.fromhex("6f206216810200008201018302000084067600012401008a01056406530400100000"),
    wipe=Wipe.TERMINATE,
    # captured: the key information stands beside 73, not in it
    inside=(0x4F, 0x5F52, 0x7F66, 0x7F74, 0x73, 0xDE),
    discretionary=(*_V2_PARTS, 0xD6, 0xD7, 0xD8),
    outer=(0x7F74,),
    wide=(0x73,),
    unset={0x5F35: b"0", 0xF9: bytes.fromhex("810100")},
    references=(0, 1, 2),
    button=True,
    wrong=Wrong.COUNTED_BLOCKED,
    length_first=True,
    unverify=True,
    too_short=Sw.LENGTH,
    bad_attributes=Sw.LENGTH,
)
"""Captured."""
SMARTPGP = Personality(
    name="SmartPGP 3.4",
    atr=bytes.fromhex("3b80800101"),
    version=bytes.fromhex("0304"),
    maker=bytes.fromhex("afaf"),
    historical=bytes.fromhex("0031c573c001c0059000"),
    capabilities=bytes.fromhex("7f000400048004800001"),
    algorithms=_offer(_RSA_V3, _NIST + BRAINPOOL, modern=False),
    pace=_ZEITCONTROL,
    extended=1024,
    lengths=bytes.fromhex("0202040002020400"),
    terminated=Sw.INSTRUCTION,
    terminated_twice=Sw.INSTRUCTION,
    discretionary=(*_V2_PARTS, 0xDE),
    missing=(0x7F74, 0xD6, 0xD7, 0xD8),
    outer=(0x6E, 0xDE),
    unset={0x5F35: b"9", 0xF9: b""},
    several=False,
    wrong=Wrong.FOREVER,
    too_short=Sw.CONDITIONS,
    inside=(0x4F, 0x5F52, 0x7F66, 0x73),
)

ROWS: tuple[Personality, ...] = (
    *(ZEITCONTROL_2_0, ZEITCONTROL_2_1, ZEITCONTROL_3_3),
    *(GNUK_START, GNUK, GNUK_NO_LIFE_CYCLE),
    *(OPCARD, YUBIKEY_5, PICO, SMARTPGP),
)
