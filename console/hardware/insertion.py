"""Is the card that is in a reader again the one that left it? Graded, with its reason.

The rule: pure, and as careful as console.hardware.identity, which judges devices: a reader that
stays has the same visit all the time, so its card is judged by the count of insertions and by its
answer to reset. That names a kind of card, never the very card: what no reader can show is taken
on the technician's word, and an id read from the card (guide.unique) settles it.
"""

from __future__ import annotations

from console.events import Card, Device
from console.hardware import identity
from console.hardware.atr import card_kind
from console.hardware.identity import (
    Expectation,
    Grade,
    Judgement,
    Scene,
    in_our_socket,
    same_kind,
)


def judge(expected: Expectation, came: Device, scene: Scene) -> Judgement | None:
    """What to do with a device or a card that is there; None if it concerns nobody (yet)."""
    if came.visit == expected.visit:
        return _card_again(expected, came, scene)
    if card_left(expected, scene) and _new_kin(expected, came):
        return _card_elsewhere(expected, came)
    found = identity.judge(expected, came, scene)
    return _with_its_card(expected, came, found) if found and expected.card else found


def card_left(expected: Expectation, scene: Scene) -> bool:
    """Has our card been taken out of its reader, which is still there?

    The count of insertions and removals goes up; a smaller one only tells that PC/SC was restarted.
    """
    before, now = expected.card, scene.slot(expected)
    if before is None or now is None:
        return False
    return scene.company.card_out or now.inserted > before.inserted


def _card_again(expected: Expectation, came: Device, scene: Scene) -> Judgement | None:
    before, now = expected.card, scene.slot(expected)
    if before is None or now is None or not card_left(expected, scene):
        return None
    if now.state:
        return Judgement(False, f"A card is in {now.reader} again. {now.state}")
    if not now.atr:
        return _card_elsewhere(expected, came) if _new_kin(expected, came) else None
    mode, kin = scene.mode(came), _is_kin(expected, now)
    if not kin and (mode not in expected.modes or expected.was in expected.modes):
        return _another_card(before, now)
    if mode not in expected.modes:
        return Judgement(False, f"It is back as {mode}, not as awaited. It was not touched.")
    doubt = _exchanged(expected, scene)
    if doubt is not None:
        return doubt
    what = "a card with the same answer to reset" if kin else "a card, in the mode awaited,"
    return Judgement(True, f"Taken: {what} is in {now.reader} again.", Grade.PORT)


def _another_card(before: Card, now: Card) -> Judgement:
    return Judgement(
        False,
        f"Not taken: another card is in {now.reader}: its answer to reset is {now.atr}, ours had "
        f"{before.atr}. It was not touched. Put ours in.",
    )


def _is_kin(expected: Expectation, card: Card) -> bool:
    """Is it a card of our card's kind? No answer to reset tells more."""
    ours = expected.card
    return bool(ours and card.atr) and card_kind(card.atr) == card_kind(ours.atr if ours else "")


def _elsewhere_before(expected: Expectation) -> dict[tuple[str, str], Card]:
    """Every slot but ours as it was when the wait was armed, by visit and reader."""
    devices = (*((expected.left,) if expected.left else ()), *expected.others)
    slots = {(device.visit, card.reader): card for device in devices for card in device.cards}
    return {place: card for place, card in slots.items() if place != _our_place(expected)}


def _our_place(expected: Expectation) -> tuple[str, str]:
    return expected.visit, expected.card.reader if expected.card else ""


def _new_kin(expected: Expectation, came: Device) -> Card | None:
    """A card of our card's kind that came into another reader since the wait was armed."""
    before = _elsewhere_before(expected)
    for card in came.cards:
        place = (came.visit, card.reader)
        if place == _our_place(expected):
            continue
        known = before.get(place)
        is_new = known is None or not known.atr or known.inserted != card.inserted
        if is_new and _is_kin(expected, card):
            return card
    return None


def _card_elsewhere(expected: Expectation, came: Device) -> Judgement:
    reader = expected.card.reader if expected.card else ""
    there = _new_kin(expected, came)
    return Judgement(
        False,
        f"Not taken: a card came into {there.reader if there else came.port}, ours left {reader}. "
        f"It was not touched. If it is ours, put it into {reader}.",
    )


def _exchanged(expected: Expectation, scene: Scene) -> Judgement | None:
    """Why two cards of one kind may have been exchanged by hand; None if they were not."""
    if any(_new_kin(expected, device) for device in scene.present):
        return Judgement(
            False,
            "Not taken: two cards of one kind have come, and nothing they say tells which is ours. "
            "Neither was touched. Take out the one that is not.",
        )
    now = {(device.visit, card.reader): card for device in scene.present for card in device.cards}
    for place, card in _elsewhere_before(expected).items():
        stayed = place in now and now[place].inserted == card.inserted
        if _is_kin(expected, card) and not stayed:
            return Judgement(
                False,
                f"Not taken: the card in {card.reader}, of the same kind, left it while ours was "
                "away, and nothing they say tells which is which. It was not touched. Stop, and "
                "run again on the one that you know.",
            )
    return None


def _with_its_card(expected: Expectation, came: Device, found: Judgement) -> Judgement:
    """What a reader with a card is judged for when it was unplugged as a whole and came back."""
    before = expected.card
    here = tuple(card for card in came.cards if card.atr)
    if before is None or not came.cards or expected.was not in expected.modes:
        return found
    if (
        not found.taken
        and not here
        and in_our_socket(expected, came)
        and _same_kind_as_ours(expected, came)
    ):
        return Judgement(False, "The reader is back, and no card answers in it. Put the card in.")
    if found.taken and here and not any(_is_kin(expected, card) for card in here):
        return _another_card(before, here[0])
    return found


def _same_kind_as_ours(expected: Expectation, came: Device) -> bool:
    return expected.left is not None and same_kind(expected.left, came)
