"""What can be done with any device, also one that no family knows: a check that sends nothing.

The rule: it opens no line. It looks: at what the kernel says of the device and of its port, and
whether it stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.events import Device, Verdict
from console.families import Family, Mode
from console.flow import Flow, Outcome, Step
from console.guide import Guide
from console.offers import ANY_DEVICE

STEADY_FOR = 30
"""Seconds for which it is watched."""
IDENTITY = Step("identity", "What it says of itself", usual="at once")
STEADY = Step("steady", "Does it stay", usual=f"{STEADY_FOR} s", safe="It is only watched.")
KERNEL = Step("kernel", "What the kernel says of its port", usual="at once")
OTHER_WAYS = "Try another cable, another port, and no hub; then check it again."


def check(guide: Guide) -> Outcome:
    """Look at it for half a minute."""
    identity = guide.step(IDENTITY, lambda: facts(guide.device), found=lambda told: told[0])
    changes = guide.step(STEADY, _watch, guide, found=_times)
    log = guide.step(KERNEL, guide.kernel_log, found=lambda log: log.trouble or _count(log.faults))
    for line in log.lines:
        guide.tell(f"kernel: {line}")
    proof = (*identity, f"{_times(changes)} in {STEADY_FOR} s", *log.faults)
    if changes:
        sentence = f"Fault found: it does not stay on the bus. {_times(changes).capitalize()}."
        return Outcome(Verdict.UNFINISHED, sentence, OTHER_WAYS, proof)
    if log.faults:
        sentence = "Fault found: it stays now, but the kernel had trouble with its port."
        return Outcome(Verdict.UNFINISHED, sentence, OTHER_WAYS, proof)
    return Outcome(
        Verdict.NO_FAULT,
        "It names itself and stays on the bus. Nothing was sent to it, so only its connection "
        "was checked.",
        log.trouble,
        proof,
    )


def facts(device: Device) -> tuple[str, ...]:
    """The device in words, as the kernel has it from its descriptors."""
    named = " ".join(filter(None, (device.maker, device.product))) or "no name"
    serial = f"serial {device.serial}" if device.serial else "no serial"
    told = [f"{device.vid}:{device.pid} {named}, {serial}"]
    told += [f"{device.speed} speed"] if device.speed else []
    told += [f"interfaces {' '.join(device.interfaces)}"] if device.interfaces else []
    told += [f"driver {device.driver}"] if device.driver else ["no driver has taken it"]
    told += [f"{node.path}: {node.why}" for node in device.nodes if not node.may_open]
    return tuple(told)


def _watch(guide: Guide) -> int:
    """How often what sits in the port changed: left, or came anew."""
    changes, before = 0, guide.visits
    for second in range(STEADY_FOR):
        guide.safe_point()
        guide.progress("seconds watched", second, STEADY_FOR)
        guide.pause(1.0)
        now = guide.visits
        changes, before = changes + (now != before), now
    return changes


def _times(changes: int) -> str:
    if not changes:
        return "it stayed"
    return f"it left or came {changes} times" if changes > 1 else "it left or came once"


def _count(faults: tuple[str, ...]) -> str:
    return f"{len(faults)} lines tell of trouble" if faults else "no trouble"


CHECK = Flow(
    name="check",
    title="Check the connection",
    about="Looks at any device for 30 s and at the kernel's lines about its port. Sends nothing.",
    plan=(IDENTITY, STEADY, KERNEL),
    perform=check,
    hands="none",
    keeps="Everything: nothing is sent to the device.",
)


@dataclass(frozen=True)
class AnyDevice(Family):
    """A family to which every device belongs."""

    def mode_of(self, device: Device) -> Mode | None:
        return Mode("any", device.vid, device.pid, device.product, "")


GENERIC = AnyDevice(ANY_DEVICE, "Any device", (), (CHECK,))
