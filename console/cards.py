"""What can be done with a device, as data: for `replug flows`, the bench screen and scripts.

The rule: pure; made from the families' tables and a device's facts. Also where the words of a
command line (DEVICE, FLOW) find what they mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.errors import NoSuchDevice, NoSuchFlow
from console.events import Device, DevicePlugged
from console.generic import GENERIC
from console.ladder import ladder_of
from console.letters import telling
from console.offers import DeviceCard, FlowCard, QuestionCard
from console.ports import NOTHING_SAID, PortBook

if TYPE_CHECKING:
    from console.families import Family
    from console.flow import Flow

CHECK = "check"
NOT_KNOWN = "No family here knows this device; its connection can be checked all the same."


def families_of(device: Device, families: tuple[Family, ...]) -> tuple[Family, ...]:
    """Every family the device belongs to."""
    return tuple(family for family in families if family.mode_of(device) is not None)


def name_of_unit(device: Device, families: tuple[Family, ...]) -> str:
    """What names this very unit in each of its modes; "" where nothing does."""
    names = (family.unit(device) for family in families_of(device, families))
    return next(filter(None, names), telling(device.serial))


def unit_of(device: Device, families: tuple[Family, ...]) -> str:
    """What names this very unit, as far as anything does."""
    return name_of_unit(device, families) or f"{device.vid}:{device.pid}"


def introduce(
    device: Device, families: tuple[Family, ...], book: PortBook = NOTHING_SAID
) -> DevicePlugged:
    """The event for a device that was just seen: its facts, what they mean, what was said of it."""
    unit = unit_of(device, families)
    return replace(
        _seen(device, families),
        label=book.label(device.port),
        mark=book.mark(device.port, unit),
        job=book.job(device.port, unit),
    )


def _seen(device: Device, families: tuple[Family, ...]) -> DevicePlugged:
    known = families_of(device, families)
    if not device.visit:
        return DevicePlugged(device, (), "", "a device that is not shown", "", "")
    if not known:
        name = device.product or f"not known here, {device.vid}:{device.pid}"
        return DevicePlugged(device, (), "", name, "", "")
    mode = known[0].mode_of(device)
    assert mode is not None
    names = tuple(family.name for family in known)
    name = f"{mode.title}  {device.serial}".strip()
    lines = tuple(dict.fromkeys(line for family in known for line in family.lines))
    any_line = not all(family.lines for family in known)
    return DevicePlugged(
        device,
        names,
        mode.name,
        name,
        mode.shown,
        mode.next,
        begun=mode.begun,
        lines=() if any_line else lines,
    )


def card(device: Device, families: tuple[Family, ...], book: PortBook = NOTHING_SAID) -> DeviceCard:
    """The device's card; any has the generic check, but for one marked hands off."""
    seen = introduce(device, families, book)
    if seen.mark:
        about = "Marked hands off: nothing is sent to it, whoever asks."
        return DeviceCard(device.port, seen.name, seen.shown, about, seen.next, (), seen.mark)
    known = families_of(device, families)
    modes = [family.mode_of(device) for family in known]
    flows = tuple(flow_card(family, flow) for family in (*known, GENERIC) for flow in family.flows)
    about = next((mode.about for mode in modes if mode), NOT_KNOWN)
    return DeviceCard(device.port, seen.name, seen.shown, about, seen.next, flows)


def flow_card(family: Family, flow: Flow) -> FlowCard:
    """The flow as it is offered."""
    questions = tuple(
        QuestionCard(q.id, q.kind.value, q.ask, q.optional, q.choices, q.of_the_unit)
        for q in flow.questions
    )
    return FlowCard(
        f"{family.name}.{flow.name}",
        flow.title,
        flow.about,
        flow.planned(),
        questions,
        flow.ready,
        flow.hands,
        flow.keeps,
    )


def pick_device(words: str, devices: tuple[Device, ...], book: PortBook = NOTHING_SAID) -> Device:
    """The one device meant by a port path, a serial, VID:PID, or its port's label.

    Raises NoSuchDevice.
    """
    by_port = [device for device in devices if device.port == words]
    if by_port:
        return by_port[0]
    by_serial = [device for device in devices if device.serial and device.serial == words]
    ids = words.lower()
    matches = by_serial or [device for device in devices if f"{device.vid}:{device.pid}" == ids]
    matches = matches or [device for device in devices if book.label(device.port) == words != ""]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise NoSuchDevice(f"There is no device {words} here.")
    ports = ", ".join(device.port for device in matches)
    raise NoSuchDevice(
        f"{len(matches)} devices are {words}: on the ports {ports}.", "Name one by its port."
    )


def pick_flow(words: str, device: Device, families: tuple[Family, ...]) -> tuple[Family, Flow]:
    """The flow named family.flow, if the device has it. Raises NoSuchFlow."""
    name, _, wanted = words.partition(".")
    for family in (*families_of(device, families), GENERIC):
        if family.name == name:
            return family, family.flow(wanted)
    raise NoSuchFlow(f"There is no flow {words} for the device on port {device.port}.")


def flow_named(words: str, families: tuple[Family, ...]) -> tuple[Family, Flow]:
    """The flow named family.flow, whatever is plugged in. Raises NoSuchFlow.

    The check of a device that is not shown is the ladder; any other flow waits for it.
    """
    name, _, wanted = words.partition(".")
    for family in (*families, GENERIC):
        if family.name == name:
            flow = family.flow(wanted)
            return family, ladder_of(family) if flow.name == CHECK else flow
    raise NoSuchFlow(
        f"There is no flow {words}.", "For a device that is not shown, name it in full: family.flow"
    )


def absent_card(port: str, families: tuple[Family, ...]) -> DeviceCard:
    """What can be done with a device that does not appear: each family's ladder and flows."""
    ladders = tuple(
        replace(flow_card(family, ladder_of(family)), ladder=True)
        for family in (*families, GENERIC)
        if any(flow.name == CHECK for flow in family.flows)
    )
    flows = tuple(
        flow_card(family, flow)
        for family in families
        for flow in family.flows
        if flow.name != CHECK
    )
    about = "Nothing is shown. Find out why, or start a flow that waits until it is."
    return DeviceCard(port, "a device that is not shown", "away", about, "", (*ladders, *flows))
