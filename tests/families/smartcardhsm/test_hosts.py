"""The field's own hosts on our simulated cards: sc-hsm-tool, pkcs11-tool, pkcs15-tool.

The rule: these tools are judged by what they write and what the card holds afterwards, never by
their exit code, which is 0 on failures too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from itertools import count

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from console.families.smartcardhsm.simulator import SHARE
from console.families.smartcardhsm.simulator_rows import HSM_3_1
from console.protocols import tlv
from tests.families.smartcardhsm.simulated import Bench, public_file
from tests.hardware.stack import Stack
from tests.realdata import real

PIN, SO_PIN = "648219", "3537363231383830"
TEXT = b"Signed by a card that was never made."
CHECK_VALUE = hashlib.sha256(SHARE).hexdigest()[:16].upper()
FACTORY = "tests.families.smartcardhsm.simulated:in_slot"
NEW = count()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    for tool in ("sc-hsm-tool", "pkcs11-tool", "pkcs15-tool", "opensc-tool"):
        assert shutil.which(tool), f"{tool} is missing: tests/run names the packages"
    stack = Stack(tmp_path_factory.mktemp("hosts") / "pcsc")
    stack.do("start")
    yield stack
    stack.close()


class Slot:
    """One card in one slot, worked by hosts."""

    def __init__(self, hosts, slot, firmware, folder):
        self.hosts, self.slot, self.folder = hosts, slot, folder
        hosts.do("insert", slot, FACTORY, firmware, slot)

    def run(self, *words, typed=""):
        """All that the program wrote."""
        said = self.hosts.do("run", [str(word) for word in words], typed)
        return said["stdout"] + said["stderr"]

    def tool(self, name, *words, typed=""):
        return self.run(name, "--reader", self.slot, *words, typed=typed)

    def words(self, *words):
        """A call of sc-hsm-tool, for later."""
        return [str(word) for word in ("sc-hsm-tool", "--reader", self.slot, *words)]

    def hsm(self, *words, typed=""):
        return self.tool("sc-hsm-tool", *words, typed=typed)

    def p11(self, *words):
        return self.run("pkcs11-tool", "--slot-index", self.slot, "--login", "--pin", PIN, *words)

    def set_up(self, *, share=None):
        words = ["--initialize", "--so-pin", SO_PIN, "--pin", PIN, "--label", "bench"]
        assert self.hsm(*words, "--dkek-shares", "1") == ""
        if share is not None:
            sent = "80520000 20".replace(" ", "") + share.hex() + "00"
            assert "SW1=0x90, SW2=0x00" in self.tool("opensc-tool", "--send-apdu", sent)
        return self

    def public(self, name):
        """The public key with that PKCS#11 id, through the host."""
        path = self.folder / f"{next(NEW)}.der"
        words = ("--read-object", "--type", "pubkey", "--id", name, "--output-file", path)
        said = self.p11(*words)
        assert path.exists(), said
        return serialization.load_der_public_key(path.read_bytes())

    def signed(self, name, mechanism, data, *words):
        asked, got = (self.folder / f"{next(NEW)}" for _ in range(2))
        asked.write_bytes(data)
        said = self.p11(
            *("--sign", "--id", name, "--mechanism", mechanism, *words),
            *("--input-file", asked, "--output-file", got),
        )
        assert got.exists(), said
        return got.read_bytes()


@pytest.fixture
def card(hosts, tmp_path):
    return lambda slot, firmware: Slot(hosts, slot, firmware, tmp_path)


def custodians():
    """What the third and the first of three custodians type."""
    notes = real("hsm/dkek-share-2of3.txt").read_text()
    prime = re.search(r"Prime (\S+)", notes)[1]
    values = dict(re.findall(r"Share (\d) value (\S+)", notes))
    return f"{prime}\n" + "".join(f"\n{number}\n{values[number]}\n" for number in "31") + "\n\n"


def dss(signature):
    half = len(signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    return utils.encode_dss_signature(r, s)


@pytest.mark.parametrize("firmware", ["2.5", "2.6", "3.1", "3.4"])
def test_sc_hsm_tool_reads_the_version_initialises_and_counts(card, firmware):
    hsm = card(0, firmware)
    fresh = hsm.hsm()
    assert re.search(rf"Version +: {re.escape(firmware)}\n", fresh)
    assert "has never been initialized" in fresh

    hsm.set_up()
    after = hsm.hsm()
    assert "User PIN reset with SO-PIN enabled" in after
    assert re.search(r"SO-PIN tries left +: 15\n", after)
    assert re.search(r"User PIN tries left +: 3\n", after)
    assert re.search(r"DKEK import pending, 1 share", after)

    wrong = hsm.hsm("--initialize", "--so-pin", "0" * 16, "--pin", PIN)
    assert "PIN code or key incorrect" in wrong
    assert re.search(r"SO-PIN tries left +: 14\n", hsm.hsm())


def test_sc_hsm_tool_opens_shares_and_restores_what_another_card_wrapped(hosts, card):
    """One by its password, one by two of three custodians; 30 million MD5 each, at once."""
    hsm, other = card(0, "3.4").set_up(), card(1, "3.4").set_up()
    alone, parts = real("hsm/dkek-share.pbe"), real("hsm/dkek-share-2of3.pbe")
    opened, rebuilt = (
        said["stdout"] + said["stderr"]
        for said in hosts.do(
            "run_together",
            [
                (hsm.words("--import-dkek-share", alone, "--password", "correct horse"), ""),
                (other.words("--import-dkek-share", parts, "--pwd-shares-total", 2), custodians()),
            ],
        )
    )
    assert "DKEK share imported" in rebuilt
    value = re.search(r"DKEK key check value : ([0-9A-F]{16})\n", rebuilt)[1]
    assert value not in (CHECK_VALUE, "0" * 16)
    assert f"DKEK key check value : {CHECK_VALUE}" in opened

    for number, name in ((1, "rsa2048"), (2, "p256")):
        words = ("--key-reference", number, "--pin", PIN)
        said = hsm.hsm("--unwrap-key", real(f"hsm/wrapped-{name}.bin"), *words)
        assert "Key successfully imported" in said

    public = public_file(real("hsm/rsa2048.pub.der"))
    signature = hsm.signed("01", "SHA256-RSA-PKCS", TEXT)
    public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
    public = public_file(real("hsm/p256.pub.der"))
    signature = hsm.signed("02", "ECDSA", hashlib.sha256(TEXT).digest())
    public.verify(dss(signature), TEXT, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(("kind", "source", "target"), [
    ("rsa:2048", "3.4", "2.6"),
    ("EC:secp256r1", "2.5", "3.1"),
    ("EC:brainpoolP256r1", "3.1", "3.4"),
])  # fmt: skip
def test_a_key_that_sc_hsm_tool_wraps_on_one_card_it_unwraps_on_another(
    card, tmp_path, kind, source, target
):
    first, second = card(0, source).set_up(share=SHARE), card(1, target).set_up(share=SHARE)
    first.p11("--keypairgen", "--key-type", kind, "--id", "0a", "--label", "mail")
    file = tmp_path / "wrapped.bin"
    assert first.hsm("--wrap-key", file, "--key-reference", 1, "--pin", PIN) == ""
    said = second.hsm("--unwrap-key", file, "--key-reference", 5, "--pin", PIN)
    assert "Key successfully imported" in said

    public = first.public("0a")
    digest = hashlib.sha256(TEXT).digest()
    if kind.startswith("rsa"):
        signature = second.signed("0a", "SHA256-RSA-PKCS", TEXT)
        public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())
        return
    signature = second.signed("0a", "ECDSA", digest)
    public.verify(dss(signature), digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def test_case_2_as_sc_hsm_tool_meets_it(card, tmp_path):
    """A list in the blob: 3.1 refuses for no reason that the host knows; 2.6 takes it."""
    bench = Bench(HSM_3_1).set_up(SHARE)
    bench.generate(1, listed=b"\x73\x70\x92")
    blob, _ = bench.wrap(1)
    file = tmp_path / "listed.bin"
    file.write_bytes(tlv.encode(0x30, tlv.encode(0x04, blob)))
    words = ("--unwrap-key", file, "--key-reference", 1, "--pin", PIN)

    said = card(0, "3.1").set_up(share=SHARE).hsm(*words)
    assert "failed" in said
    assert "successfully" not in said
    assert "Key successfully imported" in card(1, "2.6").set_up(share=SHARE).hsm(*words)


def test_sc_hsm_tool_names_another_dkek_and_a_card_without_any(card, tmp_path):
    hsm = card(0, "3.4").set_up(share=b"\x22" * 32)
    words = ("--key-reference", 1, "--pin", PIN)
    said = hsm.hsm("--unwrap-key", real("hsm/wrapped-p256.bin"), *words)
    assert "Wrapped key does not match DKEK" in said

    none = card(1, "3.4")
    none.hsm("--initialize", "--so-pin", SO_PIN, "--pin", PIN)
    none.p11("--keypairgen", "--key-type", "EC:secp256r1", "--id", "01")
    said = none.hsm("--wrap-key", tmp_path / "none.bin", *words)
    assert "not initialized for key wrap" in said


@pytest.mark.parametrize("firmware", ["2.6", "3.4"])
def test_pkcs11_tool_makes_keys_lists_them_signs_and_deletes(card, firmware):
    hsm = card(0, firmware).set_up()
    for name, kind, label in (("0a", "rsa:2048", "web"), ("0b", "EC:secp384r1", "code")):
        words = ("--key-type", kind, "--id", name, "--label", label)
        assert "Key pair generated" in hsm.p11("--keypairgen", *words)
    listed = hsm.p11("--list-objects")
    assert re.findall(r"Private Key Object; (\w+) *\n +label: +(\w+)", listed) == [
        ("RSA", "web"),
        ("EC", "code"),
    ]

    digest = hashlib.sha256(TEXT).digest()
    public = hsm.public("0a")
    public.verify(
        *(hsm.signed("0a", "SHA256-RSA-PKCS", TEXT), TEXT, padding.PKCS1v15(), hashes.SHA256())
    )
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signature = hsm.signed("0a", "RSA-PKCS-PSS", digest, "--hash-algorithm", "SHA256")
    public.verify(signature, TEXT, pss, hashes.SHA256())
    digest = hashlib.sha384(TEXT).digest()
    signature = dss(hsm.signed("0b", "ECDSA", digest))
    point = bytes.fromhex(re.search(r"EC_POINT: +0461(04[0-9a-f]+)", listed)[1])
    code = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), point)
    code.verify(signature, TEXT, ec.ECDSA(hashes.SHA384()))

    tested = hsm.p11("--test")
    assert "No errors" in tested
    assert "failed" not in tested.replace("all 4", "")

    hsm.p11("--delete-object", "--type", "privkey", "--id", "0a")
    assert "web" not in hsm.p11("--list-objects")


def test_pkcs15_tool_dumps_what_is_there(card):
    hsm = card(0, "3.4").set_up(share=SHARE)
    hsm.p11("--keypairgen", "--key-type", "rsa:2048", "--id", "0a", "--label", "web")
    said = hsm.tool("pkcs15-tool", "--dump")
    assert "PKCS#15 Card [bench]" in said
    assert re.search(r"Serial number +: DENK0200000", said)
    assert re.findall(r"^Private \w+ Key \[(.*)\]", said, re.M) == ["web"]
    assert "Tries left     : 3" in said
    assert "Tries left     : 15" in said


def test_pkcs11_tool_initialises_a_token_and_unblocks_it(card):
    """It takes the first six bytes of the SO-PIN for the first PIN, and asks for no shares."""
    hsm = card(0, "3.4")
    words = ("--slot-index", 0, "--so-pin", SO_PIN)
    said = hsm.run("pkcs11-tool", *words, "--init-token", "--label", "bench")
    assert "successfully initialized" in said
    words = (*words, "--login", "--login-type", "so")
    said = hsm.run("pkcs11-tool", *words, "--init-pin", "--new-pin", PIN)
    assert "successfully initialized" in said
    assert "Key pair generated" in hsm.p11(
        "--keypairgen", "--key-type", "EC:secp256r1", "--id", "01"
    )
    assert "DKEK" not in hsm.hsm()
