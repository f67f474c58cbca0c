"""One folder a family, found by being there: a table of modes, and flows.

The rule: a new family is a new folder that edits nothing else. A family module offers FAMILY;
its simulator module offers SCENARIOS. Families import no USB library, no screen, no thread
and no clock.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from console.errors import NoSuchFlow
from console.events import Device
from console.flow import Flow
from console.hardware.simulated import Scenario
from console.history import Unit, serial


@dataclass(frozen=True)
class Mode:
    """One appearance of a device. Ids are four hex digits; `shown` is the short word on screen.

    Where ids do not tell (a card in any reader), they are "" and `when` decides by other facts.
    `begun` tells what most often was begun and not finished where a device shows itself so.
    """

    name: str
    vid: str
    pid: str
    title: str
    shown: str
    about: str = ""
    next: str = ""
    begun: str = ""
    when: Callable[[Device], bool] | None = None

    def fits(self, device: Device) -> bool:
        """Does the device look like this?"""
        by_ids = (device.vid, device.pid) == (self.vid, self.pid)
        if self.when is None:
            return by_ids
        return (by_ids or not self.vid) and self.when(device)


WAKE = (
    "If it has a button: hold it while you plug it in, and let go after 3 s.",
    "If it has a battery or a switch: charge it for a while, switch it on.",
)
SIGNS = ("A light on it, or warmth, means that it has power. Write down what you see: n.",)
LOST = "Return it or replace it. This record is the evidence: replug log export last"


@dataclass(frozen=True)
class DeadEnd:
    """What the ladder for a device that does not appear (console.ladder) needs of its family.

    `signs` say what its light tells, `buttons` what hands do to wake it (() if nothing can),
    `guises` are appearances that are none of its modes and yet mean that it shows, and `lost`
    is the advice once it is proven dead.
    """

    signs: tuple[str, ...] = SIGNS
    buttons: tuple[str, ...] = WAKE
    guises: tuple[Mode, ...] = ()
    lost: str = LOST

    def guise_of(self, device: Device) -> Mode | None:
        """The first guise that fits the device."""
        return next((guise for guise in self.guises if guise.fits(device)), None)


def nameless(_: Device) -> str:
    """No serial is sure to be the same in each mode."""
    return ""


@dataclass(frozen=True)
class Family:
    """What kind of thing it is: how it is recognised, its modes, its flows.

    `unit` names the very unit in each of its modes ("" where a mode shows nothing of it). `sure`
    does so only where another name proves another unit, whatever modes the two are in. `lines`
    are the kinds of nodes that its flows open (events.Node); () where they may open any.
    """

    name: str
    title: str
    modes: tuple[Mode, ...]
    flows: tuple[Flow, ...]
    unit: Unit = serial
    sure: Unit = nameless
    lines: tuple[str, ...] = ()
    dead: DeadEnd = DeadEnd()

    def mode_of(self, device: Device) -> Mode | None:
        """The first mode that fits the device."""
        return next((mode for mode in self.modes if mode.fits(device)), None)

    def flow(self, name: str) -> Flow:
        """The flow of that name. Raises NoSuchFlow."""
        for flow in self.flows:
            if flow.name == name:
                return flow
        raise NoSuchFlow(f"The family {self.name} has no flow {name}.")


@cache
def found() -> tuple[Family, ...]:
    """Every family that is there, ordered by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg)
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return tuple(module.FAMILY for module in modules)


@cache
def scenarios() -> tuple[Scenario, ...]:
    """The practice scenarios of every family, ordered by family."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.ispkg)
    modules = [importlib.import_module(f"{__name__}.{name}.simulator") for name in names]
    return tuple(scenario for module in modules for scenario in module.SCENARIOS)
