"""The platforms of the family, a row each: ids, buttons, where keys and firmware lie.

The rule: addresses are said here and nowhere else; a platform that speaks the same wire is one
more row. The rows follow the vendor's own tables (particle-cli's device specs, device-os' dct.h
and bootloader sources); see the README for what is proven on hardware.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.families.particle import keys


@dataclass(frozen=True)
class Place:
    """A named range of a memory."""

    name: str
    address: int
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size

    def __str__(self) -> str:
        return f"{self.name} (0x{self.address:X})"


@dataclass(frozen=True)
class Ids:
    """The USB ids of one mode, four hex digits each, and the mode's name."""

    vid: str
    pid: str
    mode: str


@dataclass(frozen=True)
class Factory:
    """Where the factory firmware is kept: the memory that holds it, and the place in it."""

    alternate: int
    place: Place


@dataclass(frozen=True)
class ServerBlock:
    """The vendor's block for the server-key slot, and where address and port stand in it."""

    file: str
    size: int
    address_at: int
    port_at: int
    port: int


TCP_BLOCK = ServerBlock("server-rsa.pub.der", 512, 384, 450, 5683)
UDP_BLOCK = ServerBlock("server-ec.pub.der", 320, 192, 258, 5684)


@dataclass(frozen=True)
class Platform:
    """One platform.

    `page` is what is saved, erased and written with the private key, which begins it;
    `server_page` the same for the server's key. Where `erases` is false the memory takes writes
    without an erase: the device keeps its settings (DCT) in a store of its own. `spare` is a
    page that nobody uses. The application lies in alternate setting 0, and below `floor` there
    lies what an image must never touch: the bootloader, and the settings where they are below.
    """

    name: str
    app: Ids
    dfu: Ids
    button: str
    form: keys.Form
    block: ServerBlock
    private: Place
    server: Place
    page: Place
    server_page: Place
    application: int
    application_end: int
    floor: int
    number: int
    alternate: int = 1
    erases: bool = True
    factory: Factory | None = None
    spare: Place | None = None
    memory: str = "external memory"

    @property
    def short(self) -> str:
        """The word for it in a sentence: "the Core"."""
        return self.name.rpartition(" ")[2] if self.name.startswith("Spark") else self.name

    @property
    def derives_serial(self) -> bool:
        """Does its bootloader show a serial that follows from the device id, not the id?"""
        return self.form is keys.RSA and self.erases


def _ids(number: int, name: str) -> tuple[Ids, Ids]:
    """2b04:c0NN in its application, 2b04:d0NN in DFU mode; NN is the platform's number."""
    word = name.lower().replace(" ", "-")
    return (
        Ids("2b04", f"c0{number:02x}", f"{word}-app"),
        Ids("2b04", f"d0{number:02x}", f"{word}-dfu"),
    )


CORE = Platform(
    name="Spark Core",
    app=Ids("1d50", "607d", "app"),
    dfu=Ids("1d50", "607f", "dfu"),
    button="MODE",
    form=keys.RSA,
    block=TCP_BLOCK,
    private=Place("private-key slot", 0x2000, 1024),
    server=Place("server-key slot", 0x1000, 2048),
    page=Place("page of the private key", 0x2000, 4096),
    server_page=Place("page of the server key", 0x1000, 4096),
    application=0x0800_5000,
    application_end=0x0802_0000,
    floor=0x0800_5000,
    number=0,
    factory=Factory(1, Place("factory firmware", 0x2_0000, 1024)),
    spare=Place("unused page", 0x1F_F000, 4096),
)


_STM32_FLOOR = 0x0800_C000
"""Behind 16 KiB of bootloader and two sectors of settings."""


def _tcp(name: str, number: int) -> Platform:
    """Photon and P1: the settings store holds an RSA key, with room to spare behind its slot."""
    app, dfu = _ids(number, name)
    return Platform(
        name=name,
        app=app,
        dfu=dfu,
        button="SETUP",
        form=keys.RSA,
        block=TCP_BLOCK,
        private=Place("private-key slot", 34, 612),
        server=Place("server-key slot", 2082, 512),
        # The vendor's dct.h gives the private key 1216 bytes, of which the slot is the first 612.
        page=Place("area of the private key", 34, 1216),
        server_page=Place("server-key slot", 2082, 512),
        application=0x080A_0000,
        application_end=0x080C_0000,
        floor=_STM32_FLOOR,
        number=number,
        erases=False,
        factory=Factory(0, Place("factory firmware", 0x080E_0000, 1024)),
        memory="settings store",
    )


def _udp(
    name: str,
    number: int,
    application: int,
    end: int,
    floor: int,
    factory: Factory | None = None,
) -> Platform:
    """Electron and the third generation: the settings store holds an EC key."""
    app, dfu = _ids(number, name)
    return Platform(
        name=name,
        app=app,
        dfu=dfu,
        button="MODE",
        form=keys.EC,
        block=UDP_BLOCK,
        private=Place("private-key slot", 3106, 192),
        server=Place("server-key slot", 3298, 320),
        page=Place("private-key slot", 3106, 192),
        server_page=Place("server-key slot", 3298, 320),
        application=application,
        application_end=end,
        floor=floor,
        number=number,
        erases=False,
        factory=factory,
        memory="settings store",
    )


def _gen3(name: str, number: int) -> Platform:
    return _udp(name, number, 0x000D_4000, 0x000F_4000, floor=0x1000)


PLATFORMS: tuple[Platform, ...] = (
    CORE,
    _tcp("Photon", 0x06),
    _tcp("P1", 0x08),
    _udp(
        "Electron",
        0x0A,
        0x0808_0000,
        0x080A_0000,
        _STM32_FLOOR,
        Factory(0, Place("factory firmware", 0x080A_0000, 1024)),
    ),
    _gen3("Argon", 0x0C),
    _gen3("Boron", 0x0D),
    _gen3("Xenon", 0x0E),
    _gen3("A SoM", 0x16),
    _gen3("B SoM", 0x17),
    _gen3("X SoM", 0x18),
    _gen3("B5 SoM", 0x19),
    _gen3("Tracker", 0x1A),
)


def of_ids(vid: str, pid: str) -> Platform | None:
    """The platform that shows these ids in one of its modes."""
    ids = (vid, pid)
    return next(
        (row for row in PLATFORMS if ids in ((i.vid, i.pid) for i in (row.app, row.dfu))), None
    )


def named(name: str) -> Platform:
    return next(row for row in PLATFORMS if row.name == name)
