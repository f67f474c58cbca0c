"""Wrapped keys between our flows and sc-hsm-tool, in both directions.

The rule: the tool is judged by its text and by what signs afterwards, never by its exit code.
"""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from console.families.smartcardhsm.simulator import SHARE, initialised
from tests.families.smartcardhsm.sticks import USER, backed_up, bench, of
from tests.families.smartcardhsm.sticks import card as stick
from tests.families.smartcardhsm.test_hosts import PIN, TEXT, card, dss, hosts
from tests.harness import workshop

__all__ = ["card", "hosts"]
DIGEST = hashlib.sha256(TEXT).digest()
KINDS = [("rsa-2048", "rsa:2048"), ("ec-p256", "EC:secp256r1")]


def verify(public, slot, number):
    """A signature that the host had made there, by that key."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        signature = dss(slot.signed(number, "ECDSA", DIGEST))
        public.verify(signature, DIGEST, ec.ECDSA(Prehashed(hashes.SHA256())))
        return
    signature = slot.signed(number, "SHA256-RSA-PKCS", TEXT)
    public.verify(signature, TEXT, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("algorithm", [ours for ours, _ in KINDS])
def test_sc_hsm_tool_takes_what_our_backup_wrote(card, tmp_path, algorithm):
    """Made and wrapped by our flows, unwrapped by the tool, seen and used by PKCS#11."""
    with workshop(tmp_path / "shop", bench(stick())) as shop:
        answers = {"algorithm": algorithm, "label": "mail", "pin": USER}
        assert shop.run("smartcardhsm.rekey", answers=answers).verdict == "repaired"
        (file,) = backed_up(shop, tmp_path / "backup").iterdir()
        public = of(shop).applet.keys[1].private.public_key()
    target = card(0, "3.4").set_up(share=SHARE)
    said = target.hsm("--unwrap-key", file, "--key-reference", 3, "--pin", PIN)

    assert "Key successfully imported" in said
    assert "mail" in target.p11("--list-objects")
    verify(public, target, "01")


@pytest.mark.parametrize("kind", [theirs for _, theirs in KINDS])
def test_our_restore_takes_what_sc_hsm_tool_wrapped(card, tmp_path, kind):
    """Made by pkcs11-tool, wrapped by sc-hsm-tool, restored and proven by our flow."""
    source = card(0, "2.6").set_up(share=SHARE)
    source.p11("--keypairgen", "--key-type", kind, "--id", "0a", "--label", "mail")
    file = tmp_path / "wrapped.bin"
    assert source.hsm("--wrap-key", file, "--key-reference", 1, "--pin", PIN) == ""
    with workshop(tmp_path / "shop", bench(stick(setup=initialised))) as shop:
        answers = {"backup": str(file), "pin": USER}
        view = shop.run("smartcardhsm.restore", answers=answers)

        assert view.verdict == "repaired", view.ended
        assert "mail" in view.ended.proof[0]
        assert of(shop).applet.keys[1].private.public_key() == source.public("0a")
