"""A simulated SmartCard-HSM in a test's hand: commands in words, answers checked."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from console.families.smartcardhsm import simulator_curves as curves
from console.families.smartcardhsm.simulator import initialised
from console.families.smartcardhsm.simulator_blob import Domain
from console.families.smartcardhsm.simulator_card import HsmCard
from console.families.smartcardhsm.simulator_rows import HSM_3_4, INSTANT, by_name
from console.protocols import tlv

SELECT = "00a404000be82b0601040181c31f020100"
PIN, SO = b"648219", b"57621880"
P256 = curves.of(ec.SECP256R1())
DONE = 0x9000


def in_slot(firmware: str, slot: int) -> HsmCard:
    """A card for the PC/SC stack (tests/hardware/stack.py), in no need of patience."""
    return HsmCard(by_name(firmware), f"DENK020000{slot}", pace=INSTANT)


def awaiting_a_share() -> HsmCard:
    """A card that its owner initialised for one share, which it was not given yet."""
    card = initialised(HsmCard(HSM_3_4, "DENK0109001", pace=INSTANT), None)
    card.applet.domains = [Domain(1, 1)]
    return card


class Bench:
    """One card; `do` gives data and status word, `ok` insists on 9000."""

    def __init__(self, firmware=HSM_3_4, *, selected=True, **options):
        options.setdefault("pace", INSTANT)
        self.card = HsmCard(firmware, "DENK0109999", **options)
        if selected:
            self.ok(SELECT)

    def raw(self, command):
        command = bytes.fromhex(command) if isinstance(command, str) else command
        self.card.begin(command)
        return self.card.work(0.0)

    def do(self, command):
        answer = self.raw(command)
        assert answer is not None, "mute"
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def sw(self, command):
        return self.do(command)[1]

    def ok(self, command):
        data, status = self.do(command)
        assert status == DONE, f"{status:04x}"
        return data

    # --- commands -----------------------------------------------------------------------

    def initialize(self, pin=PIN, so=SO, tries=3, options="0001", extra=""):
        return self.sw(initialize(pin, so, tries, options, extra))

    def verify(self, pin=PIN, which=0x81):
        return self.sw(short("0020", f"00{which:02x}", pin))

    def tries(self, which=0x81):
        return self.sw(f"002000{which:02x}")

    def set_up(self, *shares, pin=PIN):
        extra = f"9201{len(shares):02x}" if shares else ""
        assert self.initialize(pin=pin, extra=extra) == DONE
        for share in shares:
            self.ok(share_command(share))
        assert self.verify(pin) == DONE
        return self

    def generate(self, number, *, bits=0, curve=P256, listed=b"", domain=b"", by=0):
        return self.do(
            generate(number, bits=bits, curve=curve, listed=listed, domain=domain, by=by)
        )

    def sign(self, number, algorithm, data):
        return self.do(extended(f"8068{number:02x}{algorithm:02x}", data, 512))

    def decipher(self, number, algorithm, data):
        return self.do(extended(f"8062{number:02x}{algorithm:02x}", data, 512))

    def wrap(self, number):
        return self.do(f"8072{number:02x}92000000")

    def unwrap(self, number, blob, *, old=False):
        if old:
            return self.sw(extended(f"8074{number:02x}93", blob))
        self.write(0x2F10, blob)
        return self.sw(f"8074{number:02x}93")

    def write(self, fid, data, offset=0):
        """In pieces, as a host does."""
        for at in range(0, max(1, len(data)), 600):
            status = self.sw(write(fid, data[at : at + 600], offset + at))
            if status != DONE:
                return status
        return DONE

    def read(self, fid, offset=0):
        data, status = self.do(f"00b1{fid:04x}0000045402{offset:04x}0000")
        assert status in (DONE, 0x6282), f"{status:04x}"
        return data

    def listed(self):
        data = self.ok("80580000000000")
        return [data[at : at + 2].hex() for at in range(0, len(data), 2)]

    def public(self, number):
        """The public key as its request says it."""
        return public_of(self.read(0xCE00 | number))


def short(head, parameters, data):
    return bytes.fromhex(head + parameters) + bytes((len(data),)) + data


def extended(head, data, expected=None):
    le = b"" if expected is None else (expected & 0xFFFF).to_bytes(2, "big")
    return bytes.fromhex(head) + b"\0" + len(data).to_bytes(2, "big") + data + le


def write(fid, data, offset=0):
    body = tlv.encode(0x54, offset.to_bytes(2, "big")) + tlv.encode(0x53, data)
    return extended(f"00d7{fid:04x}", body)


def initialize(pin=PIN, so=SO, tries=3, options="0001", extra=""):
    body = bytes.fromhex("8002" + options) + tlv.encode(0x81, pin) + tlv.encode(0x82, so)
    return short("8050", "0000", body + bytes((0x91, 1, tries)) + bytes.fromhex(extra))


def share_command(share, domain=0):
    return short("8052", f"00{domain:02x}", share) + b"\0"


def generate(number, *, bits=0, curve=P256, listed=b"", domain=b"", by=0):
    if bits:
        oid = bytes.fromhex("04007f00070202020102")
        key = tlv.encode(0x06, oid) + tlv.encode(0x82, b"\1\0\1")
        key += tlv.encode(0x02, bits.to_bytes(2, "big"))
    else:
        parts = (curve.p, curve.a, curve.b, curve.g, curve.n)
        key = tlv.encode(0x06, bytes.fromhex("04007f00070202020203"))
        key += b"".join(tlv.encode(0x81 + at, part) for at, part in enumerate(parts))
        key += tlv.encode(0x87, b"\1")
    body = tlv.encode(0x5F29, b"\0") + tlv.encode(0x42, b"UTCA00001")
    body += tlv.encode(0x7F49, key) + tlv.encode(0x5F20, b"UTTEST00001")
    body += (tlv.encode(0x91, listed) if listed else b"") + domain
    return extended(f"0046{number:02x}{by:02x}", body, 0)


# --- what a verifier does -------------------------------------------------------------------


def public_of(certificate):
    """The public key in a certificate or request, as the library holds it."""
    body = tlv.find(certificate, 0x67, 0x7F21, 0x7F4E) or tlv.find(certificate, 0x7F21, 0x7F4E)
    key = tlv.find(body, 0x7F49)
    q = tlv.find(key, 0x86)
    if q is None:
        n, e = (int.from_bytes(tlv.find(key, tag), "big") for tag in (0x81, 0x82))
        return rsa.RSAPublicNumbers(e, n).public_key()
    named = curves.by_prime(tlv.find(key, 0x81)).named
    return ec.EllipticCurvePublicKey.from_encoded_point(named, q)


def check_signature(public, signature, data):
    """As certificates carry it: r and s side by side, or PKCS#1; SHA-256. Raises."""
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        return
    half = len(signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    public.verify(utils.encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))


def check_certificate(certificate, public):
    """Is one certificate (7F21) signed with that key? Raises if not."""
    inside = tlv.find(certificate, 0x7F21)
    body = tlv.encode(0x7F4E, tlv.find(inside, 0x7F4E))
    check_signature(public, tlv.find(inside, 0x5F37), body)


def check_request(request, device):
    """Is a request (67) signed with its own key, and then by the device? Raises if not."""
    inside = tlv.find(request, 0x67)
    certificate = tlv.encode(0x7F21, tlv.find(inside, 0x7F21))
    check_certificate(certificate, public_of(request))
    signed = certificate + tlv.encode(0x42, tlv.find(inside, 0x42))
    check_signature(device, tlv.find(inside, 0x5F37), signed)


def chain(data):
    """The certificates of EF.C_DevAut, each whole."""
    return [tlv.encode(found.tag, found.value) for found in tlv.parse(data)]


def public_file(path):
    return serialization.load_der_public_key(path.read_bytes())
