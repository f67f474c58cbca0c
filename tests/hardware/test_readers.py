"""Readers joined to the USB devices they are, from what PC/SC and the kernel say."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from console.codec import from_json, to_json
from console.errors import NotPermitted
from console.events import Card, Device, DeviceChanged, Node
from console.families import Family, Mode
from console.hardware.card import PcscCard, held_by, meaning, users_of_pcsc
from console.hardware.readers import (
    LASTING,
    MUTE,
    MUTE_WORDS,
    PRESENT,
    Reader,
    card_of,
    join,
    owner_of,
    usb_of_channel,
)
from console.hardware.sightings import Sighting, group
from tests.hostile.texts import TEXTS, must_be_harmless

ATR = bytes.fromhex("3b80800101")
IN_USE = 0x0100


def token(port: str, visit: str, **facts) -> Device:
    return Device(port, visit, "20a0", "42b2", interfaces=("030000", "0b0000"), **facts)


PRO = token("1-1", "1:4:900", product="Nitrokey Pro", serial="0000AB")
STICK = token("1-2", "1:5:901", product="Nitrokey Storage", serial="0000CD")
PLAIN = Device("1-3", "1:6:902", "1a86", "7523", product="USB Serial")
BENCH = (PRO, STICK, PLAIN)


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (struct.pack("=I", 0x00200104), (1, 4)),
        (struct.pack("=I", 0x0020FF7F), (255, 127)),
        (struct.pack("=I", 0x00010001), None),
        (struct.pack("=I", 0x8C7B), None),
        (b"\x01", None),
        (b"", None),
    ],
)
def test_the_channel_names_bus_and_address_only_when_it_is_of_type_usb(channel, expected):
    """DDDDCCCC, with 0x0020 for USB."""
    assert expected == usb_of_channel(channel)


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        (Reader("Anything 00 00", 0, usb=(1, 5)), STICK),
        (Reader("Nitrokey Pro 00 00", 0, usb=(1, 5)), STICK),
        (Reader("Nitrokey Pro 00 00", 0), PRO),
        (Reader("Nitrokey Nitrokey Pro (0000AB) 00 00", 0), PRO),
        (Reader("Nitrokey [CCID] (0000CD) 01 00", 0), STICK),
        (Reader("Nitrokey Pro (FFFF) 00 00", 0), None),
        (Reader("Gemalto Twin 00 00", 0), None),
        (Reader("USB Serial 00 00", 0), None),
    ],
)
def test_a_reader_is_the_device_of_its_channel_or_else_of_what_its_name_quotes(reader, expected):
    """A name counts only for a device that has a card interface."""
    assert expected == owner_of(reader, BENCH)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("Nitrokey Pro (FFFF) 00 00", PRO),
        ("Nitrokey Pro (0000CD) 00 00", PRO),
        ("Gemalto Twin 00 00", token("1-1", "1:4:900")),
        ("Gemalto Twin 00 00", token("1-1", "1:4:900", serial="0000AB")),
        ("Nitrokey () 00 00", token("1-1", "1:4:900")),
    ],
)
def test_a_reader_that_quotes_another_unit_or_nothing_of_a_lone_device_is_not_it(name, device):
    """Being the only one is no reason; a device that gives no name is quoted by nobody."""
    assert owner_of(Reader(name, 0), (device,)) is None


TWINS = tuple(token(f"1-{n}", f"1:{n + 3}:{n}", product="Nitrokey 3") for n in (1, 2))
FIRST, SECOND = (
    Reader(f"Nitrokey 3 [CCID/ICCD Interface] 0{n} 00", PRESENT | 1 << 16, ATR, usb=(1, 4 + n))
    for n in (0, 1)
)


def cards_by_port(devices: tuple[Device, ...], *readers: Reader) -> dict[str, list[str]]:
    return {d.port: [card.reader for card in d.cards] for d in join(devices, readers)}


def unplaced(reader: Reader) -> Reader:
    return replace(reader, usb=None)


def test_brackets_in_a_name_are_no_serial_where_the_device_has_none():
    """Then the product alone is quoted."""
    assert owner_of(Reader("Nitrokey 3 (contactless) 00 00", 0), TWINS[:1]) == TWINS[0]


def test_two_equal_devices_are_never_told_apart_by_a_name_alone():
    """It then is a device of its own: in doubt nothing is joined."""
    assert owner_of(unplaced(FIRST), TWINS) is None


def test_a_reader_whose_device_has_left_is_shown_with_no_other_and_not_by_itself():
    """PC/SC lists it for a while yet; its twin keeps its own card, and one that came has none."""
    back = token("1-1", "1:6:903", product="Nitrokey 3")

    assert cards_by_port(TWINS, FIRST, SECOND) == {"1-1": [FIRST.name], "1-2": [SECOND.name]}
    assert cards_by_port(TWINS[1:], FIRST, SECOND) == {"1-2": [SECOND.name]}
    assert cards_by_port(TWINS[1:], FIRST) == {"1-2": []}
    assert cards_by_port((back,), FIRST) == {"1-1": []}
    assert cards_by_port((back, TWINS[1]), FIRST, SECOND) == {"1-1": [], "1-2": [SECOND.name]}


def test_a_name_matches_only_what_no_channel_has_claimed():
    """The twin whose reader is in use, and so could not be asked, is the one that is left over."""
    unasked = unplaced(FIRST)
    stray = f"reader:{FIRST.name}"

    assert cards_by_port(TWINS, unasked, SECOND) == {"1-1": [FIRST.name], "1-2": [SECOND.name]}
    assert cards_by_port(TWINS[1:], unasked, SECOND) == {"1-2": [SECOND.name], stray: [FIRST.name]}


def test_a_device_has_no_more_readers_than_card_interfaces():
    """Two that both quote its name: one of them is that of a twin that has left."""
    readers = (unplaced(FIRST), unplaced(SECOND))
    strays = {f"reader:{reader.name}": [reader.name] for reader in readers}
    two = replace(TWINS[1], interfaces=("0b0000", "0b0000"))

    assert cards_by_port(TWINS[1:], *readers) == {"1-2": [], **strays}
    assert cards_by_port((two,), *readers) == {"1-2": [FIRST.name, SECOND.name]}
    assert cards_by_port((two,), FIRST, unplaced(SECOND)) == {"1-2": [SECOND.name]}


def test_the_slots_of_one_reader_are_one_device():
    """Also when one of them is in use and could not be asked; they differ in the last number."""
    other = replace(unplaced(SECOND), name=SECOND.name[:-1] + "1")

    assert cards_by_port(TWINS, SECOND, other)["1-2"] == [SECOND.name, other.name]
    assert cards_by_port(TWINS[1:], unplaced(SECOND), other)["1-2"] == [SECOND.name, other.name]


def test_names_without_numbers_are_those_of_different_readers():
    """Not every service numbers them."""
    placed, other = replace(FIRST, name="Twin one"), replace(unplaced(FIRST), name="Twin two")
    expected = {"1-1": ["Twin one"], "reader:Twin two": ["Twin two"]}

    assert cards_by_port(TWINS[:1], placed, other) == expected


def test_a_card_that_was_taken_out_and_put_in_again_is_another_state():
    """PC/SC counts; that count is what tells two cards with the same answer apart."""
    assert (PRESENT | 1 << 16) & LASTING != (PRESENT | 2 << 16) & LASTING
    assert PRESENT | IN_USE & LASTING == PRESENT


def test_a_token_keeps_its_other_nodes_and_gains_its_cards():
    """One physical thing, one device: HID and card together."""
    hid = Node("/dev/hidraw0", "hidraw", True)
    key = token("1-1", "1:4:900", nodes=(hid,))
    readers = [Reader(f"Key 00 0{n}", PRESENT | 3 << 16, ATR, usb=(1, 4)) for n in (1, 0)]

    (joined,) = join((key,), readers)

    assert joined.nodes[0] == hid
    assert [node.kind for node in joined.nodes] == ["hidraw", "card", "card"]
    assert joined.cards[0] == Card("Key 00 00", ATR.hex(), "", 3)
    assert [card.reader for card in joined.cards] == ["Key 00 00", "Key 00 01"]


def test_a_reader_without_a_usb_device_is_a_device_of_its_own():
    """Serial readers and virtual ones."""
    (alone,) = join((), [Reader("Twin 00 00", PRESENT, ATR, arrival=7)])

    assert (alone.port, alone.product) == ("reader:Twin 00 00", "Twin 00 00")
    assert alone.visit == "reader:7:Twin 00 00"
    assert alone.cards[0].atr == ATR.hex()


def test_a_mute_card_is_said_in_words_and_shows_no_atr():
    """The wrong way round, dirty or dead."""
    assert card_of(Reader("R 00 00", PRESENT | MUTE, ATR)) == Card("R 00 00", "", MUTE_WORDS)


def test_a_device_with_cards_survives_its_journal():
    """To JSON and back."""
    (joined,) = join((PRO,), [Reader("R 00 00", PRESENT, ATR, usb=(1, 4))])

    assert DeviceChanged(joined) == from_json(to_json(DeviceChanged(joined)))


def test_a_card_in_any_reader_is_recognised_by_its_atr_and_a_device_may_be_of_two_families():
    """Ids say which reader it is, the ATR which card is in it."""

    def is_ours(device: Device) -> bool:
        return any(card.atr == ATR.hex() for card in device.cards)

    card = Family("card", "Card", (Mode("card", "", "", "Card", "card", when=is_ours),), ())
    key = Family("key", "Key", (Mode("app", "20a0", "42b2", "Key", "app"),), ())
    (with_card,) = join((PRO,), [Reader("R 00 00", PRESENT, ATR, usb=(1, 4))])

    assert [f.name for f in (card, key) if f.mode_of(with_card)] == ["card", "key"]
    assert [f.name for f in (card, key) if f.mode_of(PRO)] == ["key"]


# --- bad input --------------------------------------------------------------------------------

HOSTILE = {**TEXTS, "4 kB": "x" * 4096, "4 kB of marks": "\u0301" * 2048}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_never_reach_a_device_unescaped(text):
    """Descriptors and reader names alike."""
    facts = {"busnum": "1", "devnum": "4", "idVendor": "20a0", "idProduct": "42b2"}
    names = {"product": text, "serial": text, "manufacturer": text}
    seen = Sighting("/sys/devices/usb1/1-1", "usb", facts | names)
    usb = group([seen], lambda path, kind: Node(path, kind, True))
    stray = join(usb, [Reader(text, PRESENT, ATR)])

    shown = [d.product + d.serial + d.maker + d.port for d in stray]
    shown += [card.reader for d in stray for card in d.cards]
    shown += [node.path for d in stray for node in d.nodes]

    for word in shown:
        must_be_harmless(word, kept="")
        assert len(word) < 500


class Names:
    """A context that knows these readers."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def names(self) -> tuple[str, ...]:
        return self._names


def test_a_reader_is_found_by_its_printable_name_only_if_no_other_reads_the_same():
    """In doubt no card is opened."""
    line = object.__new__(PcscCard)
    line._reader = "Key \ufffd 00 00"
    line._context = Names("Other 00 00", "Key \x01 00 00")

    assert line._name() == "Key \x01 00 00"

    line._context = Names("Key \x02 00 00", "Key \x01 00 00")
    with pytest.raises(NotPermitted, match="2 readers are called"):
        line._name()


# --- what PC/SC's results mean ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (0x80100069, "Unplugged", "The card was taken out of R."),
        (0x8010000C, "Unplugged", "The card was taken out of R."),
        (0x80100017, "Unplugged", "The reader R was unplugged."),
        (0x80100009, "Unplugged", "The reader R was unplugged."),
        (0x8010001D, "Unplugged", "The PC/SC service ended, and with it the wire to the card in R"),
        (0x80100068, "Refused", "Another program reset the card in R"),
        (0x8010000B, "NotPermitted", "Another program holds the card in R."),
        (0x8010006A, "NotPermitted", "The PC/SC service does not let this user open R."),
        (0x80100066, "Silent", "The card in R does not answer."),
        (0x80100014, "Garbled", "The wire to the card in R failed (80100014)."),
    ],
)
def test_every_result_is_a_sentence_and_advice(code, kind, says):
    """Whatever PC/SC returns; 64-bit values come sign-extended or not."""
    for value in (code, code - (1 << 32)):
        error = meaning(value, "R")

        assert kind == type(error).__name__
        assert error.sentence.startswith(says)
        assert error.advice


def test_scdaemon_is_named_with_the_command_that_makes_it_let_go(tmp_path):
    """The most frequent holder of all."""
    place = tmp_path / "77"
    place.mkdir()
    (place / "comm").write_text("scdaemon\n")
    (place / "maps").write_text("")
    (place / "cmdline").write_text("/usr/lib/gnupg/scdaemon\0--multi-server\0")

    error = held_by(users_of_pcsc(tmp_path), "R")

    assert "scdaemon of " in error.sentence
    assert "(process 77)" in error.sentence
    assert "gpgconf --kill scdaemon" in error.advice
