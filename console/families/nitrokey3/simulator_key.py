"""A simulated Nitrokey 3 or Passkey: its firmware, and the bootloader of its chip.

The rule: it is one thing on one port with up to three faces; which one shows is decided by its
flash, by how it was reset, and by nothing else. Its bootloaders know nothing of its firmware.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from console.families.nitrokey3.simulator_admin import DIRECT, NAMESPACE, Admin, Contents
from console.families.nitrokey3.simulator_admin import Command as AdminCommand
from console.families.nitrokey3.simulator_apps import SECRETS_AID, SECRETS_CHANNEL, OwnerApps
from console.families.nitrokey3.simulator_card import AdminCard
from console.families.nitrokey3.simulator_ctaphid import Command, CtapHid
from console.families.nitrokey3.simulator_faults import Faults, Times
from console.families.nitrokey3.simulator_fido2 import Authenticator, Holdings
from console.families.nitrokey3.simulator_mboot import REPORT_DESCRIPTOR, RomBootloader
from console.families.nitrokey3.simulator_nrf52 import Bank, DfuBootloader
from console.families.nitrokey3.simulator_rows import NITROKEY, Chip, Personality, Version
from console.families.nitrokey3.simulator_sb2 import Flash, Root
from console.families.nitrokey3.simulator_slip import DfuLine
from console.families.nitrokey3.simulator_touch import Asks, Leave, Presence, Refusal, Reply
from console.hardware.simulated import Away, Descriptors, Hang, Pause, Setup
from console.hardware.simulated_card import Slot
from console.hardware.simulated_ccid import EXTENDED, Ccid
from console.hardware.simulated_cdc import CdcAcm
from console.hardware.simulated_composite import Composite, Function, Identity
from console.hardware.simulated_hid import HidFunction, vendor_reports

FIDO_PAGE, FIDO_USAGE = 0xF1D0, 0x01
U2F_VERSION = 0x03
JOURNALING = Version(1, 3, 0)
"""From here on the nRF52's file system is another: the first start converts it, for minutes."""
MIGRATION_FAILED = 0x08
WORDS = "touch, attach"


class Mode(StrEnum):
    FIRMWARE = "firmware"
    BOOTLOADER = "bootloader"


@dataclass(frozen=True)
class Build:
    """What one unit is before anything happens to it."""

    who: Personality
    uuid: bytes
    version: Version
    mode: Mode = Mode.FIRMWARE
    firmware: bool = True
    """Is a whole firmware in its flash?"""
    init: bytes = b""
    """nRF52: the init packet that it accepted before it was interrupted."""
    image_size: int = 450_000
    holdings: Holdings = field(default_factory=Holdings)
    contents: Contents = field(default_factory=Contents)
    faults: Faults = field(default_factory=Faults)
    times: Times = field(default_factory=Times)
    root: Root = field(default_factory=Root)


class NitrokeyThree:
    """One key. `version` is what its firmware reports, once it runs."""

    def __init__(self, pause: Pause, build: Build, now: Callable[[], float] | None = None) -> None:
        """`now` tells seconds on any scale; without it only the key's own work counts as time."""
        self.away: Away | None = None
        self.version = build.version
        self.presence = Presence()
        self.holdings = Holdings(**asdict(build.holdings))
        given = build.contents
        self.contents = Contents(set(given.used), dict(given.settings), given.drawn, given.wipes)
        self._build = build
        self._who = build.who
        self._faults = build.faults
        self._outer_pause = pause
        self._now = now
        self._since = now() if now else 0.0
        self._worked = 0.0
        self._mode = build.mode
        self._next = Mode.FIRMWARE
        self._powered = True
        self._dead = build.faults.dead
        self._migrating = False
        self._unattached = False
        self._flags = build.faults.firmware.status_flags
        self._make_firmware()
        self._make_bootloaders()
        self._start()
        if self._dead:
            self.away = Away(None)

    # --- its parts ------------------------------------------------------------------------

    def _make_firmware(self) -> None:
        build, faults = self._build, self._build.faults.firmware
        self._uptime_given = faults.uptime
        self.admin = Admin(build.who, build.uuid, faults, self.contents, self._wipe)
        self._authenticator = Authenticator(build.who, self.holdings, self._uptime, faults)
        self._ctaphid = CtapHid(
            self._dispatch,
            self.presence,
            self._pause,
            self._leave,
            interval=build.times.keepalive,
            gone_after=faults.gone_while_waiting,
        )
        who = build.who if faults.shows_apps else replace(build.who, apps=())
        self._apps = OwnerApps(who, build.uuid, self.contents)
        self._card = AdminCard(self.admin, self._apps, self.presence, self._leave)
        self.slot = Slot("Nitrokey Nitrokey 3 [CCID/ICCD Interface] 00 00", None, inserted=0)
        self._firmware = Composite(self._firmware_identity(), self._firmware_functions())

    def _firmware_functions(self) -> tuple[Function, ...]:
        reports = vendor_reports(FIDO_PAGE, FIDO_USAGE)
        if not self._who.has_card:
            return (HidFunction(self._ctaphid, reports),)
        card = Ccid(self._pause, self.slot, manners=EXTENDED, string=4)
        return (card, HidFunction(self._ctaphid, reports, interface=1, into=0x83, out=0x02))

    def _firmware_identity(self) -> Identity:
        who = self._who
        return Identity(
            vid=NITROKEY,
            pid=who.firmware_pid,
            release=self.version.major << 8 | self.version.minor,
            maker="Nitrokey",
            product=who.product,
            usb=0x0210,
            more={4: "CCID/ICCD Interface"} if who.has_card else {},
        )

    def _make_bootloaders(self) -> None:
        build, faults, times = self._build, self._build.faults, self._build.times
        stale = bytes(build.image_size) if build.firmware else b""
        packed = build.version.packed
        self.rom = RomBootloader(
            build.uuid,
            Flash(stale, build.firmware, packed),
            self._pause,
            times,
            faults.mboot,
            build.root,
        )
        bank = Bank(stale, build.firmware, packed, build.init)
        self.dfu = DfuBootloader(build.who.signer, bank, self._pause, times, faults.dfu)
        self._line = DfuLine(self.dfu, self._listens, faults.dfu.mtu, faults.dfu.noise)
        self._port = CdcAcm(self._line)
        self._bootloader = Composite(self._bootloader_identity(), (self._bootloader_function(),))

    def _bootloader_function(self) -> Function:
        if self._is_lpc55:
            return HidFunction(self.rom, REPORT_DESCRIPTOR, string=4)
        return self._port

    def _bootloader_identity(self) -> Identity:
        who = self._who
        return Identity(
            vid=NITROKEY,
            pid=who.bootloader_pid,
            release=who.bootloader_release,
            maker=who.bootloader_maker,
            product=who.bootloader_product,
            serial="" if self._is_lpc55 else self.bootloader_serial,
            speed="high" if self._is_lpc55 else "full",
            more={4: "MCU HID GENERIC DEVICE"} if self._is_lpc55 else {},
        )

    @property
    def bootloader_serial(self) -> str:
        """The nRF52's own number, which is not the UUID that the firmware tells."""
        return hashlib.sha256(self._build.uuid).hexdigest()[:16].upper()

    @property
    def _is_lpc55(self) -> bool:
        return self._who.chip is Chip.LPC55

    def _listens(self) -> bool:
        return self._port.dtr

    # --- time -----------------------------------------------------------------------------

    def _pause(self, seconds: float) -> None:
        self._outer_pause(seconds)
        self._worked += seconds

    def _uptime(self) -> float:
        passed = self._now() - self._since if self._now else self._worked
        return passed + self._uptime_given

    # --- as a SimulatedUsb ----------------------------------------------------------------

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def _face(self) -> Composite:
        return self._firmware if self._mode is Mode.FIRMWARE else self._bootloader

    @property
    def speed(self) -> str:
        return self._face.speed

    @property
    def slots(self) -> tuple[Slot, ...]:
        """A bootloader has no reader: the slot comes and goes with the firmware."""
        return (self.slot,) if self._who.has_card and self._mode is Mode.FIRMWARE else ()

    def descriptors(self) -> Descriptors:
        return self._face.descriptors()

    def control(self, setup: Setup, data: bytes) -> bytes:
        self._expect_here()
        try:
            return self._face.control(setup, data)
        finally:
            self._notice_leaving()

    def send(self, endpoint: int, data: bytes) -> None:
        self._expect_here()
        try:
            self._face.send(endpoint, data)
        finally:
            self._notice_leaving()

    def receive(self, endpoint: int, length: int) -> bytes | None:
        self._expect_here()
        try:
            return self._face.receive(endpoint, length)
        finally:
            self._notice_leaving()

    def _expect_here(self) -> None:
        if self.away is not None:
            raise Hang

    @property
    def _is_for_touch(self) -> bool:
        return self._mode is Mode.FIRMWARE and not self._unattached

    @property
    def gentle(self) -> tuple[str, ...]:
        """A touch ends no work; to be attached anew does."""
        return ("touch", "") if self._is_for_touch else ("touch",)

    def press(self, buttons: str) -> None:
        """ "touch": its button. "attach": the machine outside gives this guest the bootloader.

        "" is the one of them that is asked for.
        """
        if not buttons:
            buttons = "touch" if self._is_for_touch else "attach"
        if buttons not in ("touch", "attach"):
            raise ValueError(f'A Nitrokey has no "{buttons}"; there is: {WORDS}.')
        if not self._powered:
            raise ValueError("It has no power: plug it in first.")
        if buttons == "touch":
            self.presence.touch()
        elif self._unattached:
            self._unattached = False
            self._reset_into(Mode.FIRMWARE, self._build.times.leave)
        elif self._mode is Mode.FIRMWARE:
            raise ValueError("Only its bootloader is attached by hand, and it runs its firmware.")
        elif self.away is None or self.away.seconds is None:
            self._reset_into(Mode.BOOTLOADER, self._build.times.leave)

    # --- leaving and coming back ----------------------------------------------------------

    def _leave(self, leave: Leave | None) -> None:
        """The firmware lets go of the bus; None: it has lost its power."""
        self.presence.forget()
        times = self._build.times
        if leave is None:
            self._lose_power()
        elif leave is Leave.FIRMWARE or (leave is Leave.DESTROY and not self._is_lpc55):
            self._reset_into(Mode.FIRMWARE, times.boot)
        else:
            if leave is Leave.DESTROY:
                self.rom.flash.image, self.rom.flash.complete = b"", False
            self.rom.entered()
            self._enter_bootloader(times.leave)

    def _enter_bootloader(self, seconds: float) -> None:
        faults = self._faults.mboot if self._is_lpc55 else self._faults.dfu
        self._reset_into(Mode.BOOTLOADER, seconds)
        if faults.attach_by_hand:
            self._mode = Mode.BOOTLOADER
            self.away = Away(None)

    def _reset_into(self, mode: Mode, seconds: float) -> None:
        self._next = mode
        self._show_card(False)
        self.away = Away(seconds)

    def _lose_power(self) -> None:
        self._powered = False
        self._show_card(False)
        self.away = Away(None)

    def _notice_leaving(self) -> None:
        if self.away is not None or self._mode is Mode.FIRMWARE:
            return
        gone = self.rom.gone.value if self._is_lpc55 else self.dfu.gone.value
        if gone == "power":
            self._dead = self._dead or (self._is_lpc55 and self.rom.dies)
            self._lose_power()
        elif gone == "reset" and (self._is_lpc55 or self._line.silent):
            self._finish()

    def _finish(self) -> None:
        """The bootloader has reset the chip: what is in the flash starts."""
        before, times = self.version, self._build.times
        if not self._is_valid():
            self._reset_into(Mode.BOOTLOADER, times.boot)
            return
        self._take_version()
        self._migrating = not self._is_lpc55 and before < JOURNALING and self.version >= JOURNALING
        self._reset_into(Mode.FIRMWARE, times.migration if self._migrating else times.boot)
        if self._faults.firmware.attach_by_hand:
            self._unattached, self.away = True, Away(None)
        elif self._faults.firmware.boots_never:
            self._dead, self.away = True, Away(None)

    def _is_valid(self) -> bool:
        return self.rom.flash.complete if self._is_lpc55 else self.dfu.bank.valid

    def _take_version(self) -> None:
        """The firmware that starts now says its own version; on the LPC55 it is the image's."""
        if not self._is_lpc55:
            self.version = Version.unpacked(self.dfu.bank.version)
        elif self.rom.version is not None and not self._faults.mboot.keeps_old_version:
            self.version = self.rom.version
            self.rom.flash.counter = max(self.rom.flash.counter, self.version.packed)

    def power_on(self) -> None:
        own_reset = self.away is not None and self.away.seconds is not None and self._powered
        if self._migrating and not own_reset:
            self._flags |= MIGRATION_FAILED
        if self._is_lpc55 and not own_reset:
            self._take_version()  # pulled behind the last answer: it starts what was written
        self._migrating = self._unattached = False
        self._powered = True
        self._mode = self._next if own_reset else Mode.FIRMWARE
        if not self._is_valid():
            self._mode = Mode.BOOTLOADER
        self._next = Mode.FIRMWARE
        self._start()
        self.away = Away(None) if self._dead else None

    def _start(self) -> None:
        """What now runs begins from nothing."""
        self._worked = 0.0
        self._since = self._now() if self._now else 0.0
        self.presence.forget()
        self._ctaphid.start()
        self.rom.start()
        self.dfu.start()
        self._line.start()
        version = self.version
        self.admin.version = version
        self.admin.flags = self._flags
        self._ctaphid.version = (version.major, version.minor, version.patch)
        self._firmware.identity = self._firmware_identity()
        self._show_card(self._mode is Mode.FIRMWARE and self._who.has_card)
        self._face.power_on()

    def _show_card(self, there: bool) -> None:
        """The reader comes and goes with the firmware, and so does its card."""
        if there and self.slot.card is None:
            self.slot.inserted += 1
        self.slot.card = self._card if there else None

    # --- what the firmware does -------------------------------------------------------------

    def _dispatch(self, command: int, data: bytes) -> Reply | Asks | None:
        match command:
            case Command.WINK:
                return self.admin.call(AdminCommand.WINK, b"")
            case Command.CBOR:
                return self._authenticator.call(data)
            case Command.MSG:
                version = data[1:2] == bytes((U2F_VERSION,))
                return Reply(b"U2F_V2\x90\x00" if version else b"\x6d\x00")
            case _ if command == NAMESPACE and not data:
                return Reply(refusal=Refusal.LENGTH)
            case _ if command == NAMESPACE:
                return self.admin.call(data[0], data[1:])
            case _ if command == SECRETS_CHANNEL and self._apps.named(SECRETS_AID):
                return Reply(self._apps.by_channel(data))
            case _ if command in DIRECT:
                return self.admin.call(command, data)
            case _:
                return None

    def _wipe(self, app: str) -> None:
        self.contents.used.discard(app)
        self.contents.wipes += 1
        if app == "fido":
            self.holdings.wipe()

    # --- keeping --------------------------------------------------------------------------

    def freeze(self) -> dict[str, Any]:
        contents = self.contents
        return {
            "mode": self._mode.value,
            "next": self._next.value,
            "powered": self._powered,
            "dead": self._dead,
            "migrating": self._migrating,
            "unattached": self._unattached,
            "flags": self._flags,
            "worked": self._uptime() - self._uptime_given,
            "away": [self.away.seconds] if self.away else [],
            "version": self.version.packed,
            "touch": [self.presence.left, self.presence.given],
            "holdings": asdict(self.holdings),
            "contents": [
                *(sorted(contents.used), contents.settings),
                *(contents.drawn, contents.wipes),
            ],
            "ctaphid": self._ctaphid.freeze(),
            "rom": self.rom.freeze() if self._is_lpc55 else {},
            "dfu": {} if self._is_lpc55 else self.dfu.freeze(),
            "line": self._line.freeze(),
            "face": self._face.freeze(),
        }

    def thaw(self, frozen: Mapping[str, Any]) -> None:
        self._mode, self._next = Mode(frozen["mode"]), Mode(frozen["next"])
        self._powered, self._dead = bool(frozen["powered"]), bool(frozen["dead"])
        self._migrating, self._flags = bool(frozen["migrating"]), int(frozen["flags"])
        self._unattached = bool(frozen["unattached"])
        self.version = Version.unpacked(int(frozen["version"]))
        for name, value in frozen["holdings"].items():
            setattr(self.holdings, name, value)
        used, settings, self.contents.drawn, self.contents.wipes = frozen["contents"]
        self.contents.used = set(used)
        self.contents.settings = dict(settings)
        self._start()
        self._worked = float(frozen["worked"])
        self._since -= self._worked
        if self._is_lpc55:
            self.rom.thaw(frozen["rom"])
        else:
            self.dfu.thaw(frozen["dfu"])
        self._line.thaw(frozen["line"])
        self._face.thaw(frozen["face"])
        self._ctaphid.thaw(frozen["ctaphid"])
        self.presence.left, self.presence.given = frozen["touch"]
        self.away = Away(frozen["away"][0]) if frozen["away"] else None
        self._face.away = None
