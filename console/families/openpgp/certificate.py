"""The OpenPGP certificate that is handed over: signed by the card, judged by Sequoia.

The rule: no certificate leaves that an independent library does not take.
"""

from __future__ import annotations

import pysequoia

from console.errors import Garbled
from console.families.openpgp import packets
from console.families.openpgp.objects import Slot
from console.families.openpgp.packets import Dated, Signer

KNOWN = ("rsa2048", "rsa3072", "rsa4096", "ed25519", "x25519", "nistp256", "nistp384", "nistp521")
"""What Sequoia's wheels can judge; they leave out the Brainpool curves and secp256k1."""
FLAGS = {Slot.DECRYPT: packets.ENCRYPT, Slot.AUTH: packets.AUTHENTICATE}


def judged(keys: dict[Slot, Dated]) -> bool:
    """Can a certificate of these keys be made and judged here?"""
    words = {key.public.algorithm.word for key in keys.values()}
    return Slot.SIGN in keys and words <= set(KNOWN)


def make(keys: dict[Slot, Dated], user_id: str, now: int, sign: Signer) -> bytes:
    """An armoured certificate of the card's keys; its primary key is the signature slot's.

    Raises Garbled (Sequoia does not take it), and as `sign`.
    """
    subkeys = [(keys[slot], flags) for slot, flags in FLAGS.items() if slot in keys]
    primary = keys[Slot.SIGN]
    # A key must not be younger than the signature over it.
    now = max(now, *(key.created for key in keys.values()))
    raw = packets.certificate(primary, user_id, subkeys, now, sign)
    wrong = "The certificate of the card's keys does not verify."
    try:
        found = pysequoia.Cert.from_bytes(raw)
        valid = [str(known) for known in found.user_ids]
    except Exception:  # noqa: BLE001 - the library names no narrower one
        raise Garbled(wrong) from None
    if found.fingerprint != primary.fingerprint.hex() or valid != [user_id]:
        raise Garbled(wrong)
    return str(pysequoia.armor(raw, pysequoia.ArmorKind.PublicKey)).encode()
