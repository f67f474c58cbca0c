"""Putting wrapped keys onto a device: where each goes, what is already there, what is proven.

The rule: the device's own list decides what is there, before and after each import, in both
directions: a refusal after which the key is there was a success, a success without it was none.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.errors import DeviceError, Garbled, GateClosed, Refused, Silent, Stopped, Unplugged
from console.families.smartcardhsm import contents, cvc, proof, twins
from console.families.smartcardhsm.approach import Unit
from console.families.smartcardhsm.blob import PublicKey
from console.families.smartcardhsm.client import ABOUT, CERTIFICATE, KEY
from console.families.smartcardhsm.contents import Contents, HeldKey
from console.families.smartcardhsm.description import AES, EC, RSA, Description
from console.families.smartcardhsm.dkek import Dkek
from console.families.smartcardhsm.keyfile import KeyFile
from console.families.smartcardhsm.models import TRAP, WAY_OUT
from console.families.smartcardhsm.proof import Proof
from console.guide import Guide

FULL = "6A84"
FAILED_INSIDE = "6F00"
OTHER_DKEK = "6A80"
NO_DOMAIN = "6A88"
_UNHARMED = "The backup is unharmed."
_MENDS = (
    "The key in hand may be on the device without its description: restore finds it there and "
    "mends it."
)


@dataclass
class Placed:
    """What came of it, in sentences. `stopped` says why it went no further."""

    done: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    compared: int = 0
    left: tuple[str, ...] = ()
    """What lies on the device beside, and does no harm."""
    stopped: str = ""
    advice: str = "Make room, or take another device, and run restore again."
    written: bool = False
    """Was anything written of the key in hand that is still there?"""

    @property
    def begun(self) -> bool:
        """Is the device other than it was, or has it a key of the backup? Then that is said."""
        return bool(self.written or self.done or self.unproven)

    @property
    def words(self) -> str:
        return self.stopped or f"{len(self.done)} proven, {len(self.unproven)} not"


def spread(held: Contents, keys: tuple[KeyFile, ...], wanted: tuple[int, ...]) -> None:
    """That every asked-for number is free, or has that very key. Raises GateClosed."""
    for file, number in zip(keys, wanted, strict=False):
        there = held.key(number)
        if there is not None and not _may_be(there, public_of(file, None)):
            raise GateClosed(
                f"Number {number} is taken on the device: {there.words}.",
                f"Nothing was written. Choose a free number, such as {held.free()}.",
            )


def public_of(file: KeyFile, dkek: Dkek | None) -> PublicKey | None:
    """The key's public half: from its certificate, or from inside where the DKEK is known."""
    if file.certificate and (key := cvc.public_key_in(file.certificate)):
        return key
    return file.blob.open(dkek).public() if dkek else None


def _may_be(there: HeldKey, key: PublicKey | None) -> bool:
    """May what is there be that key? Unknown is not excluded."""
    return there.public is None or key is None or there.public == key


def place(
    guide: Guide,
    unit: Unit,
    held: Contents,
    keys: tuple[KeyFile, ...],
    wanted: tuple[int, ...],
    dkek: Dkek | None,
) -> Placed:
    """Import every key that is not there yet. Raises GateClosed, Refused while none is there."""
    placed = Placed()
    for at, file in enumerate(keys):
        number = wanted[at] if wanted else None
        placed.written = False
        try:
            held = _place(unit, held, file, number, dkek, placed)
        except (GateClosed, Refused, Unplugged, Silent, Garbled) as error:
            _stop(placed, file, error)
        except Stopped as error:
            raise Stopped(f"{error.sentence} That was at {file.label}.", _MENDS) from None
        if placed.stopped:
            break
        guide.progress("Importing keys", at + 1, len(keys))
    return placed


def _stop(placed: Placed, file: KeyFile, error: DeviceError | GateClosed) -> None:
    """Why it goes no further. Raises the error itself where nothing came of it yet."""
    if isinstance(error, Refused) and error.code == FULL:
        placed.stopped = f"The memory of the device is full at {file.label}."
        return
    if isinstance(error, Unplugged | Silent | Garbled):
        placed.stopped = f"{error.sentence} That was at {file.label}."
        placed.advice = f"{error.advice} {_MENDS}"
        return
    if not placed.begun:
        raise error
    placed.stopped = error.sentence
    placed.advice = error.advice.removeprefix(_UNHARMED).strip()
    if isinstance(error, Refused):
        placed.stopped += f" That was at {file.label}."
        placed.advice += f" {_MENDS}" if placed.written else ""


def _place(
    unit: Unit,
    held: Contents,
    file: KeyFile,
    wanted: int | None,
    dkek: Dkek | None,
    placed: Placed,
) -> Contents:
    key = public_of(file, dkek)
    there = _found(unit, held, file, key)
    if there is not None and not there.present and wanted not in (None, there.number):
        there = None  # what outlived the key stays as it is; the key goes where it is wanted
    likely: tuple[HeldKey, ...] = ()
    if there is None and key is None:
        there = twins.inside(unit, held, file, dkek) if dkek else None
        likely = () if dkek else _likely(unit, held, file, wanted)
    if there is None:
        _free(held, wanted, likely)
    number = there.number if there else _number(held, wanted)
    if number is None:
        placed.stopped = "Every key number of the device is taken."
        return held
    if there is None or not there.present:
        _import(unit, file, number, dkek)
        placed.written = True
        there = contents.again(unit.hsm, held, number).key(number)
        if same := _twins(unit, number, file, likely):
            key, (there, *others) = same
            number = _one_of_two(unit, number, there, placed)
            for other in others:
                placed.left += (_again(other.number, number),)
                _beside(unit, file, other.number, other, key, placed)
        elif wanted not in (None, number):
            if not _taken_off(unit, number, placed):
                placed.left += (f"Key {number} is {file.label}, as it was imported to compare.",)
            _free(held, wanted, ())
    key = key or twins.public_half(unit.hsm, number, file.blob.type)
    _beside(unit, file, number, there, key, placed)
    _proven(unit, file, number, key, dkek, placed)
    return contents.again(unit.hsm, held, number)


def _number(held: Contents, wanted: int | None) -> int | None:
    """The number that was asked for, where nothing is at it; else a free one."""
    return wanted if wanted and held.key(wanted) is None else held.free()


def _found(unit: Unit, held: Contents, file: KeyFile, key: PublicKey | None) -> HeldKey | None:
    """Where the key, or half of it, is already."""
    for known in held.present:
        if file.certificate and known.certificate == file.certificate:
            return known  # of a curve that is not known here, perhaps: the bytes are its own
    if key is not None:
        for known in held.keys:
            if known.public == key:
                return known
        for known in held.present:
            if known.public is None and proof.proven(unit.hsm, known.number, key):
                return known
    return None


def _free(held: Contents, wanted: int | None, likely: tuple[HeldKey, ...]) -> None:
    """Raises GateClosed if the wanted number is another key's."""
    there = held.key(wanted) if wanted else None
    if there is not None and there not in likely:
        raise GateClosed(
            f"Number {wanted} is taken on the device: {there.words}.",
            f"Nothing there was changed. Choose a free number, such as {held.free()}.",
        )


# --- a file without certificate, and no DKEK to look inside --------------------------------------


def _likely(unit: Unit, held: Contents, file: KeyFile, wanted: int | None) -> tuple[HeldKey, ...]:
    """The keys that may be the file's. Raises GateClosed where no answer of theirs can tell."""
    likely = twins.alike(unit, held, file)
    if wanted and held.key(wanted) is None:
        return ()  # it was asked for at a free number, whatever else is there
    for key in likely:
        if twins.public_half(unit.hsm, key.number, file.blob.type) is None:
            raise GateClosed(
                f"Whether {key.words} is {file.label} cannot be told: the file has no certificate, "
                "and the key shows nothing of itself.",
                f"{_UNHARMED} Bring the key shares as well: with them it is told. Or name a free "
                f"number, such as {held.free()}, to have it there once more.",
            )
    return likely


def _twins(
    unit: Unit, number: int, file: KeyFile, likely: tuple[HeldKey, ...]
) -> tuple[PublicKey, list[HeldKey]] | None:
    """Those of before that are the key which was imported just now: one, or left-overs as well."""
    key = twins.public_half(unit.hsm, number, file.blob.type) if likely else None
    if key is None:
        return None
    same = [one for one in likely if proof.proven(unit.hsm, one.number, key)]
    return (key, same) if same else None


def _one_of_two(unit: Unit, number: int, there: HeldKey, placed: Placed) -> int:
    """The key of before stays; what was imported to compare with it goes."""
    if not _taken_off(unit, number, placed):
        placed.left += (_again(number, there.number),)
    return there.number


def _again(number: int, first: int) -> str:
    return f"Key {number} is key {first} once more; it does no harm."


def _taken_off(unit: Unit, number: int, placed: Placed) -> bool:
    """Delete what this very run has imported, at a number that was free; False if it stays."""
    try:
        unit.hsm.delete(KEY << 8 | number)
    except Refused as error:
        if error.code == "reset":
            raise
        return False
    placed.written = False
    return True


# --- importing -----------------------------------------------------------------------------------


def _import(unit: Unit, file: KeyFile, number: int, dkek: Dkek | None) -> None:
    """UNWRAP; what the device lists afterwards decides whether it worked."""
    try:
        unit.hsm.unwrap(number, file.blob.raw)
    except DeviceError as error:
        if not _is_there(unit, number, error):
            raise _meant(error, file, unit, dkek) from error
    if not _is_there(unit, number, None):
        raise GateClosed(
            f"The device said that {file.label} is in, and does not list it.",
            f"{_UNHARMED} Run check; then restore again, on another device if it repeats.",
        )


def _is_there(unit: Unit, number: int, error: DeviceError | None) -> bool:
    try:
        held = unit.hsm.files()
    except DeviceError:
        if error is not None:
            raise error from None
        raise
    return KEY << 8 | number in held


def _meant(
    error: DeviceError, file: KeyFile, unit: Unit, dkek: Dkek | None
) -> DeviceError | GateClosed:
    """What a refused import means. 6F00 is never the key's fault."""
    code = error.code if isinstance(error, Refused) else ""
    if code == FAILED_INSIDE:
        why = TRAP if file.blob.algorithms else "The device failed inside and does not say why."
        return GateClosed(
            f"Firmware {unit.hsm.version} did not take {file.label} (6F00). {why}",
            f"{_UNHARMED} The key is not bad. {WAY_OUT}",
        )
    if code == OTHER_DKEK and dkek is not None:
        return GateClosed(
            f"Firmware {unit.hsm.version} does not take {file.label}, whose seal is whole: a kind "
            f"or size of key that it does not know ({file.blob.type.words}).",
            f"{_UNHARMED} Take another device: one like that which the key comes from.",
        )
    if code == OTHER_DKEK:
        return GateClosed(
            f"The device refused {file.label}: its seal does not hold under this device's DKEK.",
            f"{_UNHARMED} The check value is the same, so the file was changed: take another copy. "
            "Or this device does not know keys of that kind and size.",
        )
    if code == NO_DOMAIN:
        return GateClosed(
            f"The device has no complete key shares for {file.label} (6A88).",
            f"{_UNHARMED} Run restore with the shares of check value {file.blob.kcv.hex()}.",
        )
    return error


def _beside(
    unit: Unit,
    file: KeyFile,
    number: int,
    there: HeldKey | None,
    key: PublicKey | None,
    placed: Placed,
) -> None:
    """Its description and certificate, where they are missing; read back and compared."""
    about = file.about or _description(file, number, key)
    if there is None or there.half:
        _write(unit, ABOUT << 8 | number, about, f"the description of {file.label}", placed)
    if file.certificate and (there is None or not there.certificate or there.torn):
        name = f"the certificate of {file.label}"
        _write(unit, CERTIFICATE << 8 | number, file.certificate, name, placed)


def _write(unit: Unit, number: int, data: bytes, what: str, placed: Placed) -> None:
    if not data:
        return
    placed.written = True  # from its first piece on
    refused: Refused | None = None
    try:
        unit.hsm.write(number, data)
    except Refused as error:
        if error.code in (FULL, "reset"):
            raise
        refused = error
    if (unit.hsm.read(number) or b"")[: len(data)] != data:
        if refused is not None:
            raise refused
        raise GateClosed(
            f"The device does not give back {what} as it was written.",
            f"{_UNHARMED} The key itself is on the device. Run restore again: it mends that.",
        )


def _description(file: KeyFile, number: int, key: PublicKey | None) -> bytes:
    """The shortest description, for a file that brought none."""
    kind = {"RSA": RSA, "EC": EC, "AES": AES}[file.blob.type.words]
    if kind == AES:
        return b""
    label = file.name.partition(".")[0]
    return Description(kind, label, bytes((number,)), key.key_size if key else 0).encode()


def _proven(
    unit: Unit,
    file: KeyFile,
    number: int,
    key: PublicKey | None,
    dkek: Dkek | None,
    placed: Placed,
) -> None:
    named = f"key {number}, {file.label}"
    there_is_one = bool(contents.readable(unit.hsm, ABOUT << 8 | number))
    found = Proof.REFUSED if key is None else proof.tried(unit.hsm, number, key)
    if found is Proof.WRONG:
        raise GateClosed(
            f"On the device is {named}, and its signature does not verify.",
            f"{_UNHARMED} Do not use it there: it is not the key that its file says. Export the "
            "log.",
        )
    if found is Proof.VERIFIED:
        placed.done += (f"Proven by a signature: {named}.",)
        return
    if dkek is not None and twins.holds(unit, number, file, dkek):
        placed.done += (f"Proven by what the device wraps of it: {named}.",)
        placed.compared += 1
        return
    why = "" if there_is_one else " The file brought no description: no program sees it."
    placed.unproven += (f"On the device, but not proven by a signature: {named}.{why}",)
