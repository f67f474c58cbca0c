"""The vendor's SDK against a simulated key, in this process. Run by the oracles' own Python.

    oracle_sdk.py CONTAINER lpc55|nrf52

It prints one JSON object: what the SDK saw, and how what the key received compares.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]

from fido2.ctap2 import Ctap2  # noqa: E402
from fido2.hid import CtapHidDevice  # noqa: E402
from fido2.hid.base import HidDescriptor  # noqa: E402
from nitrokey.nk3 import NK3  # noqa: E402
from nitrokey.nk3._bootloader import NK3BootloaderLpc55, NK3BootloaderNrf52  # noqa: E402
from nitrokey.nk3.secrets_app import SecretsApp  # noqa: E402
from nitrokey.trussed import updates  # noqa: E402
from nitrokey.trussed._bootloader import nrf52 as sdk_nrf52  # noqa: E402
from nitrokey.trussed._bootloader.lpc55_upload.mboot import mcuboot  # noqa: E402
from nitrokey.trussed._bootloader.lpc55_upload.utils.exceptions import (  # noqa: E402
    SPSDKTimeoutError,
)
from nitrokey.trussed._bootloader.lpc55_upload.utils.interfaces.device.usb_device import (  # noqa: E402
    UsbDevice,
)
from nitrokey.trussed._bootloader.nrf52_upload.dfu import dfu_transport_serial  # noqa: E402
from nitrokey.trussed._connection.ccid import CcidConnection  # noqa: E402
from nitrokey.trussed._connection.ctaphid import CtapHidConnection  # noqa: E402

from console.families.nitrokey3.simulator_admin import Contents  # noqa: E402
from console.families.nitrokey3.simulator_key import Build  # noqa: E402
from console.families.nitrokey3.simulator_rows import (  # noqa: E402
    NK3A_MINI,
    NK3A_NFC,
    Personality,
    Version,
)
from console.hardware.simulated_card import exchange  # noqa: E402
from tests.families.nitrokey3.wires import Gone, Silence, Wires  # noqa: E402

UUID = bytes.fromhex("00112233445566778899aabbccddeeff")


class Packets:
    """fido2's idea of an open hidraw node."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires

    def write_packet(self, data: bytes) -> None:
        self._guarded(lambda: self.wires.send(data))

    def read_packet(self) -> bytes:
        return self._guarded(lambda: self.wires.receive(timeout=60.0))

    def _guarded(self, transfer):
        try:
            return transfer()
        except (Gone, Silence) as lost:
            raise OSError(5, "Input/output error") from lost

    def close(self) -> None:
        pass


def ctaphid(wires: Wires) -> NK3:
    who = HidDescriptor("/dev/paper", 0x20A0, 0x42B2, 64, 64, "Nitrokey 3", None)
    return NK3.from_connection(CtapHidConnection(CtapHidDevice(who, Packets(wires))))


class PaperCard:
    """pyscard's idea of a connected card."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires

    def getReader(self) -> str:  # noqa: N802 - pyscard's name
        return "paper"

    def transmit(self, command: list[int]) -> tuple[list[int], int, int]:
        card = self.wires.key.slot.card
        answer = exchange(card, bytes(command), self.wires.pause, 60.0)
        return list(answer[:-2]), answer[-2], answer[-1]


class PaperHid(UsbDevice):
    """The SDK's idea of the ROM bootloader's hidraw node."""

    def __init__(self, wires: Wires) -> None:
        super().__init__(0x20A0, 0x42DD, b"/dev/paper", "NXP", "USB COMPOSITE DEVICE", 0)
        self.wires = wires
        self._open = False

    @property
    def is_opened(self) -> bool:
        return self._open

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    def read(self, length: int, timeout: int | None = None) -> bytes:
        try:
            return self.wires.receive(timeout=(timeout or self.timeout) / 1000)
        except (Silence, Gone) as silent:
            raise SPSDKTimeoutError from silent

    def write(self, data: bytes, timeout: int | None = None) -> None:
        self.wires.send(data)


class PaperSerial:
    """pyserial's idea of the nRF52 bootloader's port, with the time-out that the SDK gives."""

    wires: Wires

    def __init__(self, port: str, baudrate: int, rtscts: int, timeout: float) -> None:
        self._timeout = timeout
        self._kept = b""
        self.wires.open_port()

    def write(self, data: list[int]) -> None:
        self.wires.write_port(bytes(data))

    def read(self, count: int) -> bytes:
        if not self._kept:
            try:
                self._kept = self.wires.read_port(self._timeout)
            except (Silence, Gone):
                return b""
        said, self._kept = self._kept[:count], self._kept[count:]
        return said

    def close(self) -> None:
        pass


class PaperTime:
    """The module `time` of the SDK's modules, on the wires' own time."""

    def __init__(self, wires: Wires) -> None:
        self.wires = wires
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.wires.pause(seconds)


class Ui(updates.UpdateUi):
    """Says yes; every sentence of refusal is an exception."""

    def error(self, *msgs):
        return AssertionError(msgs)

    abort = raise_warning = abort_downgrade = abort_pynitrokey_version = error

    def show_warning(self, warning):
        pass

    def confirm_download(self, current, new):
        pass

    confirm_update = confirm_pynitrokey_version = confirm_download

    def confirm_extra_information(self, extra_info):
        pass

    confirm_update_same_version = confirm_extra_information

    def pre_bootloader_hint(self):
        pass

    request_bootloader_confirmation = pre_bootloader_hint

    @contextmanager
    def update_progress_bar(self):
        yield lambda done, total: None

    @contextmanager
    def download_progress_bar(self, desc):
        yield lambda done, total: None

    finalization_progress_bar = update_progress_bar


class Hands(updates.DeviceHandler):
    """Finds the key again after each reset, as the SDK asks for it."""

    def __init__(self, wires: Wires, chip: str) -> None:
        self.wires = wires
        self.chip = chip

    def await_bootloader(self, model):
        self.wires.come_back()
        if self.chip == "lpc55":
            assert self.wires.ids == "20a0:42dd"
            return NK3BootloaderLpc55(PaperHid(self.wires))
        assert self.wires.ids == "20a0:42e8"
        return NK3BootloaderNrf52("/dev/paper", int(self.wires.key.bootloader_serial, 16))

    def await_device(self, model, wait_retries, callback):
        self.wires.come_back()
        return ctaphid(self.wires)


def on_paper(wires: Wires) -> PaperTime:
    """The SDK's modules sleep and open ports on these wires."""
    clock = PaperTime(wires)
    mcuboot.time = sdk_nrf52.time = dfu_transport_serial.time = clock
    PaperSerial.wires = wires
    dfu_transport_serial.Serial = PaperSerial
    # it looks for the port's USB ids in sysfs, and only to say so in a log
    dfu_transport_serial.DfuTransportSerial._DfuTransportSerial__ensure_bootloader = lambda self: (
        None
    )
    return clock


def expected(container: Path, chip: str) -> bytes:
    with zipfile.ZipFile(container) as whole:
        images = json.loads(whole.read("manifest.json"))["images"]
        image = whole.read(images[chip])
    if chip == "lpc55":
        return image
    with zipfile.ZipFile(BytesIO(image)) as inner:
        names = json.loads(inner.read("manifest.json"))["manifest"]["application"]
        return inner.read(names["bin_file"])


def main() -> None:
    container, chip = Path(sys.argv[1]), sys.argv[2]
    who = NK3A_NFC if chip == "lpc55" else NK3A_MINI
    wires = Wires(Build(who, UUID, Version(1, 5, 0)))
    wires.touches_after = 1.0
    clock = on_paper(wires)
    device = ctaphid(wires)
    device.wink()
    status = device.admin.status()
    card = NK3.from_connection(CcidConnection(PaperCard(wires)))
    seen = {
        "version": str(device.admin.version()),
        "uuid": str(device.uuid()),
        "locked": device.admin.is_locked(),
        "random": len(device.admin.rng()),
        "variant": status.variant.name,
        "init": int(status.init_status),
        "fields": [each.name for each in device.admin.list_available_fields()],
        "ccid_uuid": str(card.uuid()),
        "ccid_version": str(card.admin.version()),
        "ccid_variant": card.admin.status().variant.name,
        "info": Ctap2(device.connection.ctaphid_device()).info.versions,
    }
    seen["secrets"] = secrets_before_and_after(who)
    if chip == "lpc55":
        seen["bootloader_uuid"] = bootloader_uuid()
    done, after = updates.Updater(Ui(), Hands(wires, chip)).update(device, str(container))
    wires.come_back()
    received = wires.key.rom.received if chip == "lpc55" else wires.key.dfu.received
    wanted = expected(container, chip)
    seen |= {
        "updated": str(done),
        "variant_after": after.variant.name,
        "version_after": str(ctaphid(wires).admin.version()),
        "uuid_after": str(ctaphid(wires).uuid()),
        "same": received == wanted,
        "sha256": hashlib.sha256(received).hexdigest(),
        "slept": sorted(set(clock.slept)),
        "ops": wires.key.dfu.counts.ops[:8],
        "commands": wires.key.rom.counts.commands,
        "longest_write": wires.key.dfu.counts.longest_write,
    }
    print(json.dumps(seen))


def secrets_before_and_after(who: Personality) -> list[list]:
    """What the SDK's own client of the secrets app is told, and again after a reset by the SDK."""
    wires = Wires(Build(who, UUID, Version(1, 5, 0), contents=Contents({"fido", "secrets"})))
    wires.touches_after = 0.5
    device = ctaphid(wires)
    app = SecretsApp(device)
    told = [_secrets(app)]
    assert device.admin.factory_reset_app("secrets")
    return [*told, _secrets(app)]


def _secrets(app: SecretsApp) -> list:
    found = app.select()
    names = [name.decode() for name in app.list()]
    extended = [item.label.decode() for item in app.list_with_properties()]
    return [found.pin_attempt_counter, found.salt.hex(), names, extended]


def bootloader_uuid() -> str:
    """To the bootloader by the SDK, the number that it tells, and back by the SDK."""
    wires = Wires(Build(NK3A_NFC, UUID, Version(1, 5, 0)))
    wires.touches_after = 0.5
    from nitrokey.trussed.admin_app import BootMode

    assert ctaphid(wires).admin.reboot(BootMode.BOOTROM)
    wires.come_back()
    with NK3BootloaderLpc55(PaperHid(wires)) as bootloader:
        told = str(bootloader.uuid())
        assert bootloader.reboot()
    wires.come_back()
    assert wires.ids == "20a0:42b2"
    return told


if __name__ == "__main__":
    main()
