"""What a card's answer to reset tells of which card it is (ISO 7816-3, 8; ISO 7816-4, 12.1.1).

The rule: pure. It names a kind of card, never the very card; a part of it tells the card's state
and changes with that, so two answers are compared without it.
"""

from __future__ import annotations

STATUS_LENGTH = 3
"""Life cycle and two status bytes, at the end of historical bytes of category 00."""
STATUS_TAG = 8
"""The same in the compact form of category 80 (ISO 7816-4, 12.1.1.11)."""


def card_kind(atr: str) -> str:
    """The historical bytes without the state that they tell, in hex; what is odd stays whole.

    A card that was terminated and activated again answers with another life cycle byte, and so
    with another check byte.
    """
    try:
        history = _history(bytes.fromhex(atr))
    except (ValueError, IndexError):
        return atr
    return _without_state(history).hex() if history else atr


def _history(atr: bytes) -> bytes:
    """The historical bytes: after T0 and the interface bytes that T0 and each TD announce."""
    indicator, at = atr[1] >> 4, 2
    while indicator:
        at += (indicator & 0b0111).bit_count()
        more = indicator & 0b1000
        indicator = atr[at] >> 4 if more else 0
        at += bool(more)
    length = atr[1] & 0x0F
    if len(atr) < at + length:
        raise ValueError("it is cut off")
    return atr[at : at + length]


def _without_state(history: bytes) -> bytes:
    if history[0] == 0x00 and len(history) > STATUS_LENGTH:
        return history[:-STATUS_LENGTH]
    if history[0] != 0x80:
        return history
    kept, at = history[:1], 1
    while at < len(history):
        end = at + 1 + (history[at] & 0x0F)
        kept += b"" if history[at] >> 4 == STATUS_TAG else history[at:end]
        at = end
    return kept
