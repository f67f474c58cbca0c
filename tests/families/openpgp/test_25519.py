"""What a card offers of curve 25519, where its list has it wrong."""

from __future__ import annotations

from console.families.openpgp import algorithms
from console.families.openpgp.algorithms import Kind
from console.families.openpgp.objects import YUBICO, Slot
from tests.families.openpgp.bench import BY_NAME, KEYS, PASSPHRASE, bench, sent, shop_with

YUBIKEY = BY_NAME["YubiKey 5"]
IMPORT = 0xDB
RESTORE = {"backup": str(KEYS / "ed25519.asc"), "passphrase": PASSPHRASE, "retry": "stop"}


def test_what_a_25519_curve_is_for_is_told_by_the_curve():
    """A YubiKey before 5.6.1 lists both as EdDSA curves, and both in every slot."""
    entry = "c10b162b060104019755010501c10a162b06010401da470f01"
    raw = bytes.fromhex(entry + entry.replace("c1", "c2"))
    found = algorithms.offered(raw)
    words = {slot: [(o.algorithm.kind, o.algorithm.word) for o in found[slot]] for slot in found}
    assert words == {
        Slot.SIGN: [(Kind.EDDSA, "ed25519")],
        Slot.DECRYPT: [(Kind.ECDH, "x25519")],
    }
    assert found[Slot.DECRYPT][0].raw.hex() == "122b060104019755010501"


def test_a_yubikey_that_has_ed25519_has_x25519():
    """It may leave it out of its list; nobody else is believed to."""
    raw = bytes.fromhex("c10a162b06010401da470f01c206010800002000")
    assert [o.raw.hex() for o in algorithms.offered(raw, YUBICO)[Slot.DECRYPT]] == [
        "010800002000",
        "122b060104019755010501",
    ]
    assert len(algorithms.offered(raw)[Slot.DECRYPT]) == 1


def test_a_backup_with_25519_keys_is_restored_to_an_older_yubikey(tmp_path):
    """In spite of what its list says."""
    with shop_with(tmp_path, bench(YUBIKEY), **RESTORE) as shop:
        view = shop.run("openpgp.restore")
        assert view.verdict == "repaired", view.ended
        assert len(sent(shop, IMPORT)) == len(Slot)
