"""A simulated Particle board at the wire: its bootloader, its application, its two buttons.

The rule: it is made from the published behaviour of the device and knows nothing of our client;
what no Core does, it does only because a Faults says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from console.families.particle.simulator_contents import (
    BOOTLOADER_SIZE,
    PRIVATE_SLOT,
    Slot,
    healthy_memories,
    later_memories,
)
from console.families.particle.simulator_dfu import Bootloader, Counts, Faults, Gone, Times
from console.families.particle.simulator_flash import INTERNAL_BASE, Memories
from console.families.particle.simulator_rows import CORE, PHOTON, PHOTON_SETTINGS, Personality
from console.hardware.simulated import (
    SELF_POWERED,
    Away,
    Descriptors,
    Hang,
    OnlyControl,
    Pause,
    PlainDevice,
    Scenario,
    Setup,
    SimulatedUsb,
    Stall,
    StandardRequests,
    Unit,
    configuration_descriptor,
    device_descriptor,
    endpoint_descriptor,
    interface_descriptor,
    is_standard,
    plain_mouse,
)

BOOT_SECONDS = 1.5
"""From leaving the bus to being back on it, after the bootloader or RESET starts it anew."""
BUTTON_SECONDS = 4.0
"""MODE held, RESET tapped, MODE let go at yellow: about 3 s until it shows."""


class Mode(StrEnum):
    APPLICATION = "application"
    DFU = "dfu"


class ParticleBoard(OnlyControl):
    """One board. `shows` says whether its application appears on USB at all."""

    def __init__(
        self,
        pause: Pause,
        device_id: str,
        personality: Personality,
        *,
        mode: Mode = Mode.DFU,
        shows: bool = True,
        external_alive: bool = True,
        memories: Callable[[str], Memories] | None = None,
        times: Times = Times(),  # noqa: B008 - frozen
        faults: Faults | None = None,
    ) -> None:
        self.device_id = device_id
        hidden = mode is Mode.APPLICATION and not shows
        self.away: Away | None = Away(None) if hidden else None
        self._mode = mode
        self._shows = shows
        self._next = Mode.APPLICATION
        self._powered = True
        self._personality = personality
        self._faults = personality.manners if faults is None else faults
        contents = (memories or personality.memories)(device_id)
        contents.external.alive = external_alive
        self.bootloader = Bootloader(contents, pause, times, self._faults)
        self._standard = StandardRequests()

    @property
    def counts(self) -> Counts:
        return self.bootloader.counts

    @property
    def memories(self) -> Memories:
        return self.bootloader.memories

    @property
    def mode(self) -> Mode:
        return self._mode

    def descriptors(self) -> Descriptors:
        if self._mode is Mode.DFU:
            return dfu_descriptors(self._personality, self.device_id, self._faults)
        return application_descriptors(self._personality, self.device_id)

    def control(self, setup: Setup, data: bytes) -> bytes:
        if self.away is not None or self.bootloader.hung:
            raise Hang
        if is_standard(setup):
            return self._standard.answer(self.descriptors(), setup)
        if self._mode is Mode.APPLICATION:
            return _line_coding(setup)
        self.bootloader.alternate = self._standard.alternates.get(0, 0)
        try:
            return self.bootloader.request(setup, data)
        finally:
            self._notice_leaving()

    def _notice_leaving(self) -> None:
        match self.bootloader.gone:
            case Gone.RESET:
                self._reset_into(Mode.APPLICATION, BOOT_SECONDS)
            case Gone.UNPLUGGED:
                self._powered = False
                self.away = Away(None)

    def power_on(self) -> None:
        own_reset = self.away is not None and self.away.seconds is not None
        self._begin(self._next if own_reset and self._powered else Mode.APPLICATION)

    def _begin(self, mode: Mode) -> None:
        self._powered = True
        self._mode = mode if self._has_firmware() else Mode.DFU
        self.bootloader.start()
        self._standard = StandardRequests()
        hidden = self._mode is Mode.APPLICATION and not self._shows
        self.away = Away(None) if hidden else None

    def press(self, buttons: str) -> None:
        """ "dfu": MODE held, RESET tapped, let go at yellow. "reset": RESET tapped."""
        if not self._powered:
            raise ValueError("It has no power: plug it in first.")
        match buttons:
            case "dfu" | "":
                self._reset_into(Mode.DFU, BUTTON_SECONDS)
            case "reset":
                self._reset_into(Mode.APPLICATION, BOOT_SECONDS)
            case _:
                raise ValueError(f'A Core has no "{buttons}"; it has: dfu, reset.')

    def _reset_into(self, mode: Mode, seconds: float) -> None:
        self._next = mode
        self.away = Away(seconds)
        self.bootloader.start()

    def _has_firmware(self) -> bool:
        """As a Core's bootloader judges it: does the stack begin in the RAM?

        The later ones start their system firmware whatever the application is.
        """
        if not self._personality.judges_firmware:
            return True
        at = INTERNAL_BASE + BOOTLOADER_SIZE
        stack = int.from_bytes(self.memories.internal.read(at, 4), "little")
        return stack & 0x2FF1_0000 == 0x2000_0000

    def freeze(self) -> dict[str, Any]:
        seconds = self.away.seconds if self.away else None
        return {
            "mode": self._mode.value,
            "next": self._next.value,
            "powered": self._powered,
            "away": [seconds] if self.away else [],
            "bootloader": self.bootloader.freeze(),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._mode = Mode(frozen["mode"])
        self._next = Mode(frozen["next"])
        self._powered = bool(frozen["powered"])
        self.away = Away(frozen["away"][0]) if frozen["away"] else None
        self.bootloader.thaw(frozen["bootloader"])


class SparkCore(ParticleBoard):
    """One Core."""

    def __init__(self, pause: Pause, device_id: str, **options: Any) -> None:
        super().__init__(pause, device_id, CORE, **options)


def dfu_descriptors(who: Personality, device_id: str, faults: Faults) -> Descriptors:
    """One interface, an alternate setting a memory; the functional descriptor stands last."""
    dfu = (0xFE, 0x01, 0x02)
    functional = bytes.fromhex("09210bff00") + faults.transfer_size.to_bytes(2, "little")
    alternates = tuple(
        interface_descriptor(0, number, dfu, 0, string=4 + number)
        for number in range(len(faults.layouts))
    )
    names = {4 + number: layout for number, layout in enumerate(faults.layouts)}
    return Descriptors(
        device_descriptor(vid=who.vid, pid=who.dfu_pid, release=0x0200, usb=who.usb),
        configuration_descriptor(
            (*alternates, functional + bytes.fromhex("1a01")), 1, SELF_POWERED
        ),
        {1: who.maker, 2: who.dfu_product, 3: who.serial(device_id), **names},
    )


def application_descriptors(who: Personality, device_id: str) -> Descriptors:
    """The application is a serial port (CDC-ACM) named by the device's id."""
    communications = (
        interface_descriptor(0, 0, (0x02, 0x02, 0x01), 1),
        bytes.fromhex("0524000110"),  # header, CDC 1.10
        bytes.fromhex("0524010001"),  # call management: by data interface 1
        bytes.fromhex("04240202"),  # line coding
        bytes.fromhex("0524060001"),  # union of interfaces 0 and 1
        endpoint_descriptor(0x82, 3, 8, 255),
    )
    data = (
        interface_descriptor(1, 0, (0x0A, 0x00, 0x00), 2),
        endpoint_descriptor(0x03, 2, 64),
        endpoint_descriptor(0x81, 2, 64),
    )
    return Descriptors(
        device_descriptor(vid=who.vid, pid=who.app_pid, release=0x0200, class_code=(2, 0, 0)),
        configuration_descriptor(communications + data, 2, SELF_POWERED),
        {1: who.maker, 2: who.app_product, 3: device_id},
    )


def _line_coding(setup: Setup) -> bytes:
    """GET/SET_LINE_CODING and SET_CONTROL_LINE_STATE, which a host sends by itself."""
    match setup.request_type, setup.request:
        case (0xA1, 0x21):
            return bytes.fromhex("80250000000008")[: setup.length]  # 9600 8N1
        case (0x21, 0x20 | 0x22):
            return b""
        case _:
            raise Stall


# --- scenarios ----------------------------------------------------------------------------

HEALTHY = "48ff6b065067555017321587"
BLANK_KEY = "50ff70065067545611480887"
DEAD_MEMORY = "53ff6c066667574834212367"
UNPLUGGED = "55ff6e065075555340261787"
IN_APPLICATION = "54ff72066667515108311467"
NO_FIRMWARE = "51ff6a065067545724420187"
NO_SERVER_KEY = "49ff71065067555057291387"
DEAD = "52ff6b065067545712340187"
BAD_PORT = "57ff6d065067545748210887"
HIDDEN = "56ff68065067535723310787"
EPROTO = 71
WRONG_FORMAT = "3b0021001747353236343033"


def _healthy(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, HEALTHY)


def _blank_key(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, BLANK_KEY, memories=_without_key)


def _without_key(device_id: str) -> Memories:
    return healthy_memories(device_id, private=Slot.BLANK)


def _dead_memory(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, DEAD_MEMORY, external_alive=False)


def _unplugged_mid_write(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, UNPLUGGED, faults=Faults(unplugged_at=PRIVATE_SLOT + 300))


def _in_application(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, IN_APPLICATION, mode=Mode.APPLICATION, memories=_without_key)


def _without_firmware(device_id: str) -> Memories:
    return healthy_memories(device_id, firmware=False)


def _firmware_gone(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, NO_FIRMWARE, memories=_without_firmware)


def _without_server_key(device_id: str) -> Memories:
    return healthy_memories(device_id, server=Slot.BLANK)


def _server_key_gone(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, NO_SERVER_KEY, memories=_without_server_key)


def _wrong_format(device_id: str) -> Memories:
    return later_memories(PHOTON_SETTINGS, device_id, private=Slot.PKCS8)


def _photon_pkcs8(pause: Pause) -> SimulatedUsb:
    return ParticleBoard(pause, WRONG_FORMAT, PHOTON, memories=_wrong_format)


def _in_application_only(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, BAD_PORT, mode=Mode.APPLICATION)


def _hidden(pause: Pause) -> SimulatedUsb:
    return SparkCore(pause, HIDDEN, mode=Mode.APPLICATION, shows=False)


def _dead(_pause: Pause) -> SimulatedUsb:
    """It has power and pulls its data line; nothing that it answers makes sense."""
    return PlainDevice(application_descriptors(CORE, DEAD), fails=EPROTO, buttons=("dfu", "reset"))


_MOUSE = Unit("1-2", plain_mouse, plugged=False)
"""The device that is known to work; it lies ready."""

SCENARIOS = (
    Scenario(
        "core-healthy",
        "A Spark Core in DFU mode with nothing wrong with it.",
        (Unit("1-1", _healthy),),
    ),
    Scenario(
        "core-blank-key",
        "A Spark Core in DFU mode that has lost its private key; its memory works.",
        (Unit("1-1", _blank_key),),
    ),
    Scenario(
        "case-3",
        "A new Spark Core that flashes red: its key reads as blank, and more than that is wrong.",
        (Unit("1-1", _dead_memory),),
    ),
    Scenario(
        "core-unplug-mid-write",
        "A Spark Core whose cable slips while its key is being written, once.",
        (Unit("1-1", _unplugged_mid_write),),
    ),
    Scenario(
        "core-app",
        "A Spark Core that runs its application and needs its buttons before it can be repaired.",
        (Unit("1-1", _in_application),),
    ),
    Scenario(
        "core-firmware-gone",
        "A Spark Core whose firmware is gone and whose factory image is still there.",
        (Unit("1-1", _firmware_gone),),
    ),
    Scenario(
        "core-server-key-gone",
        "A Spark Core that no longer knows the server it has to talk to.",
        (Unit("1-1", _server_key_gone),),
    ),
    Scenario(
        "photon-pkcs8",
        "A Photon whose key was written in a format that its firmware cannot read.",
        (Unit("1-1", _photon_pkcs8),),
    ),
    Scenario(
        "core-dead",
        "A Spark Core that never enumerates, whatever is tried; a mouse that works lies at 1-2.",
        (Unit("1-1", _dead), _MOUSE),
    ),
    Scenario(
        "core-bad-port",
        "A Spark Core that is well, in a port that is not; a mouse that works lies at 1-2.",
        (Unit("1-1", _in_application_only), _MOUSE),
        {"1-1": EPROTO},
    ),
    Scenario(
        "core-hidden",
        "A Spark Core whose firmware shows nothing on USB; its buttons wake it.",
        (Unit("1-1", _hidden), _MOUSE),
    ),
)
