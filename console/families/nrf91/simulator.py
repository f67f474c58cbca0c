"""A simulated Thingy:91 at the wire: a USB bridge with two serial ports, an nRF91 behind it.

The rule: it is made from published behaviour and knows nothing of our client. Two chips start
two bootloaders: the nRF91's speaks through the bridge, whose ids stay; the bridge's own has
ids of its own and one port. Which port talks AT is the application's choice.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from console.families.nrf91.simulator_contents import rewritten, store_of_case_5
from console.families.nrf91.simulator_host import AtHost, Console
from console.families.nrf91.simulator_image import build
from console.families.nrf91.simulator_keys import Identity as Who
from console.families.nrf91.simulator_modem import Modem
from console.families.nrf91.simulator_rows import (
    APPLICATIONS,
    AT_CLIENT,
    FULL,
    MFW_1_2_3,
    MFW_1_3_6,
    MFW_2_0_2,
    REWRITING,
    SILENT,
    THINGY91,
    TRACKER,
    Application,
    Board,
    Faults,
    Firmware,
    Recovery,
    Supply,
    Times,
    Torn,
)
from console.families.nrf91.simulator_smp import Bootloader
from console.families.nrf91.simulator_store import Entry, Pair, Store
from console.hardware.simulated import Away, Hang, Pause, Scenario, SimulatedUsb, Unit
from console.hardware.simulated_cdc import ByteStream, CdcAcm
from console.hardware.simulated_composite import Composite, Identity

SWITCH_SECONDS = 5.0
"""Switched off, five seconds, on again; a button may be held meanwhile."""


class Mode(StrEnum):
    """What answers on the ports: both chips' programs, or one of the two bootloaders."""

    APPLICATION = "application"
    RECOVERY = "recovery"
    BRIDGE_RECOVERY = "bridge recovery"


PRESSES = {
    "reset": Mode.APPLICATION,
    "bootloader": Mode.RECOVERY,
    "bridge": Mode.BRIDGE_RECOVERY,
}
"""Off and on; the same with SW3 held (the big black button); the same with SW4 held."""
SUPPLIES = ("bench", "battery")


class Port:
    """One serial port of the bridge, wired to whatever speaks on it now."""

    def __init__(self) -> None:
        self.behind: ByteStream | None = None

    def feed(self, data: bytes) -> None:
        if self.behind is not None:
            self.behind.feed(data)

    def drain(self) -> bytes:
        return self.behind.drain() if self.behind is not None else b""


class Thingy(Composite):
    """One unit; its IMEI names it, its USB serial derives from that.

    `on_battery` keeps the nRF91 running while the cable is out; otherwise a pull is a power cut.
    """

    gentle = SUPPLIES

    def __init__(
        self,
        pause: Pause,
        imei: str,
        firmware: Firmware = MFW_1_3_6,
        application: Application = AT_CLIENT,
        contents: Mapping[Pair, str] | None = None,
        *,
        board: Board = THINGY91,
        recovery: Recovery = FULL,
        supply: Supply = Supply(),  # noqa: B008 - frozen
        times: Times = Times(),  # noqa: B008 - frozen
        faults: Faults = Faults(),  # noqa: B008 - frozen
        on_battery: bool = False,
        before: Entry | None = None,
    ) -> None:
        """`before` was being written when the power went, before anybody saw the unit."""
        seed = hashlib.sha256(imei.encode()).digest()
        self.board = board
        self.supply = supply
        self._known = APPLICATIONS | {application.name: application}
        self._serial = board.prefix + seed.hex()[:11].upper()
        self._on_battery = on_battery
        self._mode = self._next = Mode.APPLICATION
        self._switched = True
        self._off = False
        store = Store(contents or {}, faults)
        if before is not None:
            store.tear(before, supply.bench)
        who = Who(imei, uuid.UUID(bytes=seed[:16], version=4), firmware.model)
        self.modem = Modem(firmware, who, store, supply.battery, faults, times)
        self._host = AtHost(self.modem, pause, faults, times, leave=self._leave, die=self._die)
        self._console = Console()
        image = build(application.name, (1, 4, 0), 24_000)
        self.bootloader = Bootloader(
            recovery, image, pause, faults, times, reset=self._restart, leave=self._leave
        )
        own = build("bridge", (2, 0, 1), 8_000)
        self.bridge = Bootloader(
            recovery, own, pause, Faults(), times, reset=self._leave_recovery, leave=self._leave
        )
        self._ports = (Port(), Port())
        self._two = (
            CdcAcm(self._ports[0], first=0, endpoints=(0x81, 0x02, 0x82)),
            CdcAcm(self._ports[1], first=2, endpoints=(0x83, 0x04, 0x84)),
        )
        self._one = (CdcAcm(self.bridge, first=0, endpoints=(0x81, 0x02, 0x82)),)
        super().__init__(self._identity(), self._two)
        self._begin(Mode.APPLICATION)

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def application(self) -> Application | None:
        """What runs, or would; None if no image may be started, or nobody knows what it does."""
        image = self.bootloader.image
        return self._known.get(image.application) if image and image.bootable else None

    def _identity(self) -> Identity:
        board = self.board
        own = self._mode is Mode.BRIDGE_RECOVERY
        return Identity(
            vid=board.vid,
            pid=board.recovery_pid if own else board.pid,
            maker=board.maker,
            product=board.recovery_product if own else board.product,
            serial=self._serial,
        )

    # --- starting ---------------------------------------------------------------------------

    def _begin(self, mode: Mode) -> None:
        """Both chips start with the supply; the nRF91 in that mode, or the bridge in its own."""
        self._mode, self._next = mode, Mode.APPLICATION
        self._switched = self._off = False
        self.identity = self._identity()
        self.functions = self._one if mode is Mode.BRIDGE_RECOVERY else self._two
        self.bridge.start()
        self._restart(mode)

    def _restart(self, mode: Mode = Mode.APPLICATION) -> None:
        """The nRF91 alone starts anew; the bridge stays where it is on USB."""
        if self._mode is not Mode.BRIDGE_RECOVERY:
            self._mode = mode
        self._host.stop()
        self._console.stop()
        self.bootloader.start()
        self.modem.power_on()
        self._wire()
        application = self.application
        if mode is Mode.RECOVERY or application is None:
            return
        self._console.start(application.console, shell=application.console_is_shell)
        self._host.start(application)
        self._start_modem(application)

    def _wire(self) -> None:
        """Which stream is behind which port."""
        first, second = self._ports
        first.behind = second.behind = None
        application = self.application
        if self._mode is Mode.RECOVERY:
            first.behind = self.bootloader
        elif application is not None:
            talks = application.at_port
            first.behind = self._host if talks == 0 else self._console
            second.behind = self._host if talks == 1 else self._console
            if talks is None:
                first.behind, second.behind = self._console, None

    def _start_modem(self, application: Application) -> None:
        """What the application does with the modem before anybody can talk to it."""
        modem = self.modem
        for tag in application.rewrites:
            for kind in range(5):
                if modem.store.find(tag, kind):
                    modem.store.delete((tag, kind), modem.supply)
            modem.store.write(Entry(tag, 0, rewritten(tag).encode()), modem.supply)
        if application.warns_at:
            modem.answer(f"AT%XPOFWARN=1,{application.warns_at}")
        if not modem.warned:
            modem.mode = application.starts_in

    # --- power, buttons ---------------------------------------------------------------------

    def _leave(self) -> None:
        """The cable slipped: it is gone until somebody plugs it in."""
        self.away = Away(None)
        raise Hang

    def _die(self) -> None:
        """The power went, the battery's too."""
        self._off = True
        self._leave()

    def _leave_recovery(self) -> None:
        """The bridge's own bootloader was told to reset: it leaves the bus and comes back."""
        self._switched = True
        self._next = Mode.APPLICATION
        self.away = Away(SWITCH_SECONDS / 2)

    def power_on(self) -> None:
        own_reset = self.away is not None and self.away.seconds is not None
        if self._switched or self._off or not self._on_battery:
            self._begin(self._next if own_reset else Mode.APPLICATION)
        super().power_on()

    def press(self, buttons: str) -> None:
        """ "reset": off and on. "bootloader", "bridge": the same with SW3, with SW4 held.

        "" is "reset". "bench", "battery": what supplies it; ends nothing that is under way.
        """
        if buttons in SUPPLIES:
            self.modem.supply = getattr(self.supply, buttons)
        elif (buttons := buttons or "reset") in PRESSES:
            self._host.stop()
            self._switched = True
            self._next = PRESSES[buttons]
            self.away = Away(SWITCH_SECONDS)
        else:
            words = ", ".join((*PRESSES, *SUPPLIES))
            raise ValueError(f'A {self.board.name} has no "{buttons}"; it has: {words}.')

    # --- keeping ----------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        return {
            "mode": self._mode.value,
            "next": self._next.value,
            "switched": self._switched,
            "off": self._off,
            "modem": self.modem.freeze(),
            "host": self._host.freeze(),
            "console": self._console.freeze(),
            "bootloader": self.bootloader.freeze(),
            "bridge": self.bridge.freeze(),
            "usb": super().freeze(),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._mode, self._next = Mode(frozen["mode"]), Mode(frozen["next"])
        self._switched, self._off = bool(frozen["switched"]), bool(frozen["off"])
        self.identity = self._identity()
        self.functions = self._one if self._mode is Mode.BRIDGE_RECOVERY else self._two
        self.modem.thaw(frozen["modem"])
        self.bootloader.thaw(frozen["bootloader"])
        self.bridge.thaw(frozen["bridge"])
        running = self._known.get(frozen["host"]["application"])
        self._host.thaw(frozen["host"], running or Application("none", at_port=None))
        self._console.thaw(frozen["console"])
        self._wire()
        super().thaw(frozen["usb"])


# --- scenarios ----------------------------------------------------------------------------

HEALTHY = "352656100000017"
CASE_5 = "352656100000025"
BROWNOUT = "352656100000033"
HALF_WRITTEN = "352656100000041"
NO_AT = "358299840000058"


def _without(*lost: Pair) -> dict[Pair, str]:
    return {pair: text for pair, text in store_of_case_5().items() if pair not in lost}


def _healthy(pause: Pause) -> SimulatedUsb:
    return Thingy(pause, HEALTHY, MFW_1_3_6, TRACKER, store_of_case_5())


def _case_5(pause: Pause) -> SimulatedUsb:
    return Thingy(pause, CASE_5, MFW_1_2_3, REWRITING, _without((3, 1)))


def _brownout(pause: Pause) -> SimulatedUsb:
    weak = Supply(battery=3040)
    return Thingy(pause, BROWNOUT, MFW_1_2_3, AT_CLIENT, _without((3, 1)), supply=weak)


def _half_written(pause: Pause) -> SimulatedUsb:
    faults = Faults(torn=Torn.HALF)
    torn = Entry(3, 1, store_of_case_5()[3, 1].encode())
    contents = _without((3, 1))
    return Thingy(pause, HALF_WRITTEN, MFW_1_3_6, TRACKER, contents, faults=faults, before=torn)


def _no_at(pause: Pause) -> SimulatedUsb:
    return Thingy(pause, NO_AT, MFW_2_0_2, SILENT, store_of_case_5())


SCENARIOS = (
    Scenario(
        "nrf91-healthy",
        "An nRF91 modem that holds all its credentials; its second port talks AT.",
        (Unit("1-1", _healthy),),
    ),
    Scenario(
        "case-5",
        "An nRF91 modem that lost a certificate its firmware never wrote; it rewrites two others.",
        (Unit("1-1", _case_5),),
    ),
    Scenario(
        "nrf91-brownout",
        "An nRF91 modem on an empty battery: each write may lose a credential that was there.",
        (Unit("1-1", _brownout),),
    ),
    Scenario(
        "nrf91-half-written",
        "An nRF91 modem whose power went while its certificate was written: half of it is listed.",
        (Unit("1-1", _half_written),),
    ),
    Scenario(
        "nrf91-no-at",
        "An nRF91 modem whose firmware passes no AT: both ports show its log, or nothing.",
        (Unit("1-1", _no_at),),
    ),
)
