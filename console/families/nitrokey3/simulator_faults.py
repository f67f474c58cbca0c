"""Everything that can be wrong with a simulated Nitrokey, and what its work takes.

The rule: data only; the defaults are a healthy key on a direct port. A fault says what the device
does, never what a host ought to see.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NEVER = -1.0
"""A time that never comes."""


@dataclass(frozen=True)
class Times:
    """Seconds of the device's own work; rates in bytes a second, 0 for no limit of its own."""

    leave: float = 0.3
    """From leaving the bus to being back as something else."""
    rom_leave: float = 0.05
    """The ROM answers RESET first, then leaves."""
    boot: float = 1.5
    lpc55_rate: float = 50_000.0
    lpc55_erase: float = 0.25
    lpc55_final: float = 0.3
    nrf52_erase: float = 0.04
    """One page of 4096 bytes."""
    nrf52_write: float = 0.04
    nrf52_final: float = 0.6
    """SHA-256 and ECDSA over the whole image."""
    migration: float = 150.0
    keepalive: float = 0.1


@dataclass(frozen=True)
class FirmwareFaults:
    """What the firmware does wrong, or cannot help."""

    gone_while_waiting: int = 0
    """It leaves the bus after so many keepalives, untouched."""
    status_flags: int = 0
    free_internal: int = 60
    free_external: int = 469
    status_length: int = 7
    """0: the command is unknown; 1, 4, 5 or 7 bytes by the age of the firmware."""
    has_uuid: bool = True
    attach_by_hand: bool = False
    """In a guest: after its bootloader it does not appear before somebody attaches it."""
    boots_never: bool = False
    """After its bootloader nothing appears any more."""
    reset_does_nothing: bool = False
    """It answers that FIDO2, or one application, was reset, and erases nothing."""
    tells_room: bool = False
    """It tells for how many more passkeys there is room."""
    shows_apps: bool = True
    """Does it let anybody look into the owner's applications? Else they are not found."""
    reset_answer_lost: bool = False
    """It erases FIDO2 and starts anew before it has said so, once."""
    uptime: float = 0.0
    """Seconds since power came that passed before the host's first chance (hub, guest)."""


@dataclass(frozen=True)
class MbootFaults:
    """What goes wrong with the LPC55's ROM bootloader. Byte counts are of the SB file's."""

    attach_by_hand: bool = False
    """In a guest: it does not appear before somebody attaches it."""
    refused_attachments: int = 0
    """So often after entering: each first write fails until it is attached again."""
    mute_attachments: int = 0
    """So often after entering: it takes writes and answers none until it is attached again."""
    rate: float = 0.0
    final_delay: float | None = None
    final_lost: bool = False
    """It is done, and the final answer does not arrive."""
    abort_at: int | None = None
    abort_status: int = 10101
    leaves_at: int | None = None
    """It loses power before the byte of this number, once."""
    dies: bool = False
    """Where it leaves, it is gone for good: nothing enumerates any more."""
    reset_answer_lost: bool = False
    reset_refused: bool = False
    """It takes no command to start anew: only its power does that."""
    stays_bootloader: bool = False
    keeps_old_version: bool = False


@dataclass(frozen=True)
class DfuFaults:
    """What goes wrong with the nRF52's bootloader. Byte counts are of the image's data."""

    attach_by_hand: bool = False
    noise: bytes = b""
    """Foreign bytes ahead of its first answer."""
    lost_answers: tuple[int, ...] = ()
    """Operations whose next answer is lost, once each."""
    final_delay: float | None = None
    dropped_at: int | None = None
    """The write that covers this byte is dropped, once."""
    flipped_at: int | None = None
    """The byte at this offset arrives with one bit wrong, once."""
    leaves_at: int | None = None
    extended: int = 0
    """The init packet is refused with this extended error, whatever it says."""
    bad_image: bool = False
    """The last execute finds a wrong hash, once."""
    vanishes: bool = False
    """It leaves before the answer to the last execute."""
    mtu: int = 2051
    command_size: int = 512


@dataclass(frozen=True)
class Faults:
    """All of them together."""

    firmware: FirmwareFaults = field(default_factory=FirmwareFaults)
    mboot: MbootFaults = field(default_factory=MbootFaults)
    dfu: DfuFaults = field(default_factory=DfuFaults)
    dead: bool = False
    """Nothing enumerates, whatever is done."""
