"""What can be done with a device, and what the words of a command line mean."""

from __future__ import annotations

import pytest

from console.cards import (
    absent_card,
    card,
    families_of,
    flow_card,
    flow_named,
    introduce,
    pick_device,
    pick_flow,
)
from console.errors import NoSuchDevice, NoSuchFlow
from console.events import Device, Node, Verdict
from console.families import Family, Mode, found
from console.flow import Flow, Kind, Outcome, Question, Step
from console.ladder import ladder_of
from console.views import device_view

LOOK = Step("look", "Look at it", usual="at once")
CHECK = Flow(
    name="check",
    title="Check it",
    about="Looks.",
    plan=(LOOK,),
    perform=lambda guide: Outcome(Verdict.NO_FAULT, "Well."),
    questions=(Question("slot", Kind.CHOICE, "Which?", choices=("left", "right")),),
    ready=("A lamp.",),
    hands="one",
    keeps="Nothing.",
)
SCALE = Family(
    "scale",
    "Scale",
    (
        Mode("app", "0a0a", "0001", "Scale", "app", "It weighs.", "Check it."),
        Mode("boot", "0a0a", "0002", "Scale in its bootloader", "boot", "It waits."),
    ),
    (CHECK,),
)
FAMILIES = (SCALE, *found())

SCALE_A = Device("1-1", "v1", "0a0a", "0001", "A1")
SCALE_B = Device("1-2", "v2", "0a0a", "0001", "B2")
BOOT = Device("1-3", "v3", "0a0a", "0002")
MOUSE = Device("2-1.4", "v4", "046d", "c077", product="USB Optical Mouse")
NAMELESS = Device("2-2", "v5", "ffff", "eeee")
TWIN = Device("2-3", "v6", "cccc", "0001", "SAME")
OTHER_TWIN = Device("2-4", "v7", "cccc", "0002", "SAME")
DEVICES = (SCALE_A, SCALE_B, BOOT, MOUSE, NAMELESS, TWIN, OTHER_TWIN)


@pytest.mark.parametrize(
    ("words", "device"),
    [
        ("1-1", SCALE_A),
        ("2-1.4", MOUSE),
        ("B2", SCALE_B),
        ("0a0a:0002", BOOT),
        ("0A0A:0002", BOOT),
        ("FFFF:eeee", NAMELESS),
    ],
)
def test_a_device_is_named_by_its_port_its_serial_or_its_ids(words, device):
    """In that order."""
    assert device == pick_device(words, DEVICES)


def test_a_port_goes_before_a_serial():
    """A serial may look like a port."""
    liar = Device("3-1", "v9", "0a0a", "0009", serial="1-1")

    assert SCALE_A == pick_device("1-1", (liar, *DEVICES))


@pytest.mark.parametrize("words", ["0a0a:0001", "SAME"])
def test_words_that_mean_several_devices_are_said_with_their_ports(words):
    """Nobody guesses which one is erased."""
    ports = {"0a0a:0001": "1-1, 1-2", "SAME": "2-3, 2-4"}[words]
    with pytest.raises(NoSuchDevice) as caught:
        pick_device(words, DEVICES)

    assert f"2 devices are {words}: on the ports {ports}." == caught.value.sentence
    assert "Name one by its port." == caught.value.advice


@pytest.mark.parametrize("words", ["", "1-9", "a1", "b2", "0a0a", ":", "mouse"])
def test_words_that_mean_no_device_are_said(words):
    """A serial is matched as it is written; no device without one is meant by nothing."""
    with pytest.raises(NoSuchDevice, match="There is no device"):
        pick_device(words, DEVICES)


def test_a_device_is_introduced_with_what_its_family_knows():
    """Name, mode, the short word for it, and what to do next."""
    seen = introduce(SCALE_A, FAMILIES)

    assert ("Scale  A1", "app", "app", "Check it.") == (seen.name, seen.mode, seen.shown, seen.next)
    assert ("scale",) == seen.families
    assert "Scale in its bootloader" == introduce(BOOT, FAMILIES).name


def test_a_device_nobody_knows_is_introduced_by_its_own_word_or_its_ids():
    """Never by nothing."""
    assert "USB Optical Mouse" == introduce(MOUSE, FAMILIES).name
    assert "not known here, ffff:eeee" == introduce(NAMELESS, FAMILIES).name
    assert () == introduce(MOUSE, FAMILIES).families


def test_a_device_that_is_not_shown_is_introduced_as_that():
    """A run may begin without one."""
    assert "a device that is not shown" == introduce(Device("", "", "", ""), FAMILIES).name


def test_the_card_of_a_device_offers_its_familys_flows():
    """With plan, questions and what to have ready."""
    seen = card(SCALE_A, FAMILIES)
    flow, generic = seen.flows

    assert ("1-1", "It weighs.", "scale.check") == (seen.port, seen.about, flow.id)
    assert "generic.check" == generic.id
    assert [("look", "Look at it", "at once")] == [(s.id, s.title, s.usual) for s in flow.plan]
    assert [("slot", "choice", ("left", "right"))] == [
        (q.id, q.kind, q.choices) for q in flow.questions
    ]
    assert (("A lamp.",), "one", "Nothing.") == (flow.ready, flow.hands, flow.keeps)


def test_the_card_of_a_device_nobody_knows_offers_the_generic_check_alone():
    """And says so."""
    seen = card(MOUSE, FAMILIES)

    assert ["generic.check"] == [flow.id for flow in seen.flows]
    assert seen.about.startswith("No family here knows this device")
    assert "check" == pick_flow("generic.check", MOUSE, FAMILIES)[1].name


def test_the_card_of_a_device_that_is_not_shown_offers_every_familys_flows():
    """The dead device may be any of them, or none; the check of each is its ladder."""
    flows = absent_card("1-1", FAMILIES).flows
    known = {f"{family.name}.{flow.name}" for family in FAMILIES for flow in family.flows}

    assert known | {"generic.check"} == {flow.id for flow in flows}
    assert {flow.id for flow in flows if flow.id.endswith(".check")} == {
        flow.id for flow in flows if flow.ladder
    }
    assert all("Why is it not shown?" in flow.title for flow in flows if flow.ladder)


def test_every_flow_there_is_has_a_card_in_words():
    """Plan, title and hands are what a person reads before it starts."""
    cards = [flow_card(family, flow) for family in found() for flow in family.flows]

    assert cards
    for known in cards:
        assert known.title, known.id
        assert known.about, known.id
        assert known.plan, known.id
        assert all(question.ask for question in known.questions), known.id


def test_a_flow_is_named_by_family_and_word():
    """Only one that the device has."""
    assert (SCALE, CHECK) == pick_flow("scale.check", SCALE_A, FAMILIES)
    assert (SCALE, ladder_of(SCALE).plan) == (
        flow_named("scale.check", FAMILIES)[0],
        flow_named("scale.check", FAMILIES)[1].plan,
    )
    assert (SCALE,) == families_of(SCALE_A, FAMILIES)


@pytest.mark.parametrize("words", ["check", "scale.burn", "particle.rekey", "", ".", "scale"])
def test_a_flow_the_device_does_not_have_is_said(words):
    """Another family's neither."""
    with pytest.raises(NoSuchFlow):
        pick_flow(words, SCALE_A, FAMILIES)


@pytest.mark.parametrize("words", ["check", "scale.burn", "nobody.check", ""])
def test_a_flow_that_there_is_not_is_said(words):
    """Also where no device is shown."""
    with pytest.raises(NoSuchFlow):
        flow_named(words, FAMILIES)


CLOSED, OPEN = Node("/dev/bus/usb/001/002", "usb", False, "root"), Node("Reader 00", "card", True)


@pytest.mark.parametrize(
    ("lines", "closed"),
    [(("card",), ()), (("usb",), (CLOSED,)), ((), (CLOSED,)), (("tty", "usb"), (CLOSED,))],
)
def test_only_a_node_that_a_flow_needs_is_missed(lines, closed):
    """A card is reached through PC/SC: its stick's USB node may stay root's."""
    family = Family("s", "S", (Mode("app", "0a0a", "0001", "Scale", "app"),), (), lines=lines)
    seen = introduce(Device("1-1", "v", "0a0a", "0001", nodes=(CLOSED, OPEN)), (family,))

    assert closed == device_view(seen, "").closed
    assert introduce(seen.device, (family, SCALE)).lines == (), "the other may open any"
