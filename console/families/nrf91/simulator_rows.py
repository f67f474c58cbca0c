"""What can be simulated, a row each: modem firmwares, boards, applications, bootloaders.

The rule: data only, from published behaviour (Nordic's AT command references, sdk-nrf's
at_host and connectivity bridge, MCUboot's boot_serial); it shares no row with the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

K = 1024

ROOT_CA, CLIENT_CERTIFICATE, PRIVATE_KEY, PSK, PSK_IDENTITY, PUBLIC_KEY = range(6)
IDENTITY_KEY, ENDORSEMENT_KEY, OWNERSHIP_KEY, NORDIC_ROOT_CA, NORDIC_PUBLIC_KEY = 6, 8, 9, 10, 11
WRITABLE = (ROOT_CA, CLIENT_CERTIFICATE, PRIVATE_KEY, PSK, PSK_IDENTITY)


@dataclass(frozen=True)
class Firmware:
    """One modem firmware.

    `no_digest` are the types listed with 64 zeros, `short` those listed without a third field.
    `replaces` says that a write to a pair which exists replaces it; otherwise it is error 519.
    `parses` says that certificates are parsed before they are stored (527 if they are none).
    `guards` says that an active power-off warning blocks writes (528).
    """

    name: str
    short_name: str
    model: str
    hardware: str
    uuid: str
    types: tuple[int, ...]
    readable: tuple[int, ...]
    no_digest: tuple[int, ...] = ()
    short: tuple[int, ...] = ()
    replaces: bool = False
    parses: bool = False
    guards: bool = False
    makes_keys: bool = False
    own_entries: bool = False
    capacity: int = 32 * K
    """Bytes of content that fit; none is published, so this is only of the right size."""


_OLD_TYPES = (*WRITABLE, PUBLIC_KEY)
_TYPES = (*WRITABLE, PUBLIC_KEY, 6, 8, 9, 10, 11)

MFW_1_2_3 = Firmware(
    name="mfw_nrf9160_1.2.3",
    short_name="nrf9160_1.2.3",
    model="nRF9160-SICA",
    hardware="nRF9160 SICA B1A",
    uuid="a1d8ae0e-5f4f-4d66-9d66-1c0b2f2a3e10",
    types=_OLD_TYPES,
    readable=(ROOT_CA, PSK_IDENTITY),
    no_digest=(PRIVATE_KEY,),
    short=(PSK,),
    replaces=True,
)
MFW_1_3_1 = Firmware(
    name="mfw_nrf9160_1.3.1",
    short_name="nrf9160_1.3.1",
    model="nRF9160-SICA",
    hardware="nRF9160 SICA B1A",
    uuid="b2c7bd1f-6a50-4e77-8e77-2d1c303b4f21",
    types=_TYPES,
    readable=(ROOT_CA, CLIENT_CERTIFICATE, PSK_IDENTITY),
    makes_keys=True,
    own_entries=True,
)
MFW_1_3_6 = Firmware(
    name="mfw_nrf9160_1.3.6",
    short_name="nrf9160_1.3.6",
    model="nRF9160-SICA",
    hardware="nRF9160 SICA B1A",
    uuid="c3b6cc20-7b61-4f88-9f88-3e2d414c5032",
    types=_TYPES,
    readable=(ROOT_CA, CLIENT_CERTIFICATE, PSK_IDENTITY),
    guards=True,
    makes_keys=True,
    own_entries=True,
)
MFW_2_0_2 = Firmware(
    name="mfw_nrf91x1_2.0.2",
    short_name="nrf91x1_2.0.2",
    model="nRF9151-LACA",
    hardware="nRF9151 LACA A0A",
    uuid="d4a5db31-8c72-4099-a099-4f3e525d6143",
    types=_TYPES,
    readable=(PSK_IDENTITY,),
    parses=True,
    guards=True,
    makes_keys=True,
    own_entries=True,
)
FIRMWARES = (MFW_1_2_3, MFW_1_3_1, MFW_1_3_6, MFW_2_0_2)


@dataclass(frozen=True)
class Board:
    """What the USB side shows: a bridge chip with two ports, or its own bootloader with one."""

    name: str
    vid: int
    pid: int
    recovery_pid: int
    maker: str
    product: str
    prefix: str
    recovery_product: str = "MCUBOOT"


THINGY91 = Board(
    name="Thingy:91",
    vid=0x1915,
    pid=0x910A,
    recovery_pid=0x520F,
    maker="Nordic Semiconductor",
    product="Thingy:91 UART",
    prefix="THINGY91_",
)
THINGY91_BRIDGE = Board(  # as sdk-nrf's connectivity bridge is built for the first Thingy:91
    name="Thingy:91",
    vid=0x1915,
    pid=0x9100,
    recovery_pid=0x520F,
    maker="Nordic Semiconductor",
    product="Thingy:91 UART",
    prefix="THINGY91_",
)
BOARDS = (THINGY91, THINGY91_BRIDGE)


class Ending(StrEnum):
    """What ends a command, as at_host is built for it."""

    NUL = "\0"
    CR = "\r"
    LF = "\n"
    CRLF = "\r\n"


@dataclass(frozen=True)
class Application:
    """What runs on the nRF91's own core, and what it lets through.

    `at_port` is the port that talks AT (0, 1), or None: it passes none. `echoes` sends each
    byte back; `shell` is a Zephyr shell, whose command "at" passes AT on. `own_store` is what
    a serial modem with native TLS keeps itself (#XCMNG). `starts_in` is the functional mode it
    puts the modem in. `rewrites` are the tags whose root CA it deletes and writes again at each
    start. `between` are lines that come of themselves, one in the middle of each answer.
    """

    name: str
    at_port: int | None = 0
    ending: Ending = Ending.CR
    buffer: int = 4 * K
    echoes: bool = False
    shell: bool = False
    own_store: tuple[tuple[int, int], ...] | None = None
    starts_in: int = 1
    warns_at: int = 0
    rewrites: tuple[int, ...] = ()
    booting: tuple[str, ...] = ("*** Booting Zephyr OS build v2.6.99-ncs1 ***",)
    ready: tuple[str, ...] = ("The AT host sample started",)
    between: tuple[str, ...] = ()
    console: tuple[str, ...] = ()
    console_is_shell: bool = False


AT_CLIENT = Application("at_client", starts_in=0)
"""Nordic's sample: a serial port into the modem and nothing else; "service firmware"."""

TRACKER = Application(
    "tracker",
    at_port=1,
    starts_in=1,
    warns_at=30,
    between=('+CEREG: 5,"002F","0012BEEF",7', "", "+CSCON: 0"),
    console=(
        "*** Booting Zephyr OS build v2.6.99-ncs1 ***",
        "\x1b[0m[00:00:00.412,109] <inf> tracker: Starting\x1b[0m",
        "\x1b[1;33m[00:00:02.870,300] <wrn> tracker: No fix yet\x1b[0m",
    ),
)
REWRITING = Application(
    "cold-chain",
    at_port=0,
    starts_in=1,
    rewrites=(1, 2),
    ready=(
        "[00:00:00.530,212] <inf> cold_chain: certificates written",
        "[00:00:00.611,480] <err> cold_chain: connect() failed, err -95",
    ),
    between=("", "+CEREG: 2"),
    console=("%TRACE,0001", "%TRACE,0002"),
)
SILENT = Application(
    "meter",
    at_port=None,
    console=("[00:00:00.310,001] <inf> meter: running", "uart:~$ "),
    console_is_shell=True,
)
APPLICATIONS = {each.name: each for each in (AT_CLIENT, TRACKER, REWRITING, SILENT)}


@dataclass(frozen=True)
class Recovery:
    """How MCUboot's serial recovery was built (Kconfig).

    `buffer` is MCUBOOT_SERIAL_MAX_RECEIVE_SIZE, `line` BOOT_MAX_LINE_INPUT_LEN. `versions`
    says that the version bits in the header's first byte are known: before them, a packet of
    version 2 was no known operation and was not answered.
    """

    slot: int = 448 * K
    buffer: int = 512
    line: int = 128
    align: int = 4
    hashes: bool = True
    states: bool = True
    slot_info: bool = True
    echo: bool = True
    parameters: bool = False
    versions: bool = True


FULL = Recovery()
PLAIN = Recovery(states=False, slot_info=False, echo=False)
OLDEST = Recovery(hashes=False, states=False, slot_info=False, echo=False, versions=False)


@dataclass(frozen=True)
class Times:
    """Seconds that work takes."""

    boot: float = 1.2
    list: float = 0.03
    write: float = 0.25
    delete: float = 0.1
    keygen: float = 2.2
    functional: float = 0.4
    erase: float = 4.5
    flash: float = 0.01
    reset: float = 0.25


class Torn(StrEnum):
    """What is left of an entry whose writing ended with the supply."""

    HALF = "the first half of it, listed with the digest of that"
    NOTHING = "nothing"


class Keeps(StrEnum):
    """When a write or a delete outlives the supply."""

    AT_ONCE = "at once, as it should"
    FLUSHED = "only after CFUN=0"
    NEVER = "never: a worn store"


@dataclass(frozen=True)
class Faults:
    """Everything that can be wrong with a simulated unit; the defaults are a healthy one's.

    `brown_out_mv`: below that supply a write or delete loses the oldest entry it did not touch.
    Those that name a number happen once in a unit's life: `cut_in_write` is the n-th write,
    whose power is lost in the middle; `unplugged_after` counts bytes sent to its AT port;
    `unplugged_at` is an offset in an upload; `loses_answer` the n-th answer to a command or
    an SMP request, which is never sent although the thing was done.
    """

    brown_out_mv: int = 3100
    torn: Torn = Torn.HALF
    keeps: Keeps = Keeps.AT_ONCE
    ignores_writes: bool = False
    alters_writes: bool = False
    errs_after_writing: bool = False
    refuses_with: int = 0
    fails_keygen: bool = False
    mute_after: int = 0
    loses_answer: int = 0
    cut_in_write: int = 0
    unplugged_after: int = 0
    unplugged_at: int | None = None
    flips_image_byte: int | None = None
    fails_upload_with: int = 0


@dataclass(frozen=True)
class Supply:
    """Millivolts at the module: from its battery, and from a supply on the bench."""

    battery: int = 3700
    bench: int = 3800
