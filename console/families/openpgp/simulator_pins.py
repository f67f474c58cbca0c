"""The PINs of a simulated OpenPGP card: given, changed, blocked, set anew.

The rule: the counters are the truth, and each maker's card tells them in its own words
(OpenPGP card 3.4, 7.2.2 to 7.2.4; the differences are those measured).
"""

from __future__ import annotations

from console.families.openpgp.simulator_rows import Which, Wrong
from console.families.openpgp.simulator_state import Chip, Pin, kdf_parts
from console.families.openpgp.simulator_words import Denied, Sw
from console.hardware.simulated_command import Command

SIGN, OTHER, ADMIN = 0x81, 0x82, 0x83
PHYSICAL = {SIGN: Which.PW1, OTHER: Which.PW1, ADMIN: Which.PW3}
HASHES = {0x08: 32, 0x0A: 64}
"""OpenPGP's numbers of SHA-256 and SHA-512, and the bytes of each."""
UNVERIFY = 0xFF


# --- commands -----------------------------------------------------------------------------


def verify(chip: Chip, command: Command) -> bytes:
    """VERIFY: 81 for one signature, 82 for the other keys, 83 for the card's keeper."""
    mode = _mode(command.p2)
    if command.p1 == UNVERIFY and chip.row.unverify and not command.data:
        _grant(chip, mode, False)
        return b""
    if command.p1:
        raise Denied(Sw.PARAMETERS)
    if not command.data and not chip.row.asks_are_tries:
        return _ask(chip, mode)
    which = PHYSICAL[mode]
    _plausible(chip, which, command.data)
    if chip.row.relocks:
        _grant(chip, mode, False)
    _spend(chip, which, command.data)
    _grant(chip, mode, True)
    return b""


def change(chip: Chip, command: Command) -> bytes:
    """CHANGE REFERENCE DATA: the old one and the new one without anything between."""
    if command.p1 or command.p2 not in (SIGN, ADMIN):
        raise Denied(Sw.PARAMETERS)
    which = PHYSICAL[command.p2]
    if chip.row.wrong is Wrong.COUNTED and len(command.data) < 2 * _shortest(chip, which):
        raise Denied(Sw.LENGTH)
    size = len(_valid(chip, which))
    old, new = command.data[:size], command.data[size:]
    _spend(chip, which, old, chip.row.change_wrong)
    if chip.row.admin_less and which is Which.PW1 and not any(chip.memory.keys):
        raise Denied(Sw.CONDITIONS)
    if chip.row.admin_less and which is Which.PW3 and not new:
        chip.memory.pins[Which.PW3] = Pin()
        return b""
    _long_enough(chip, which, new, chip.row.too_short)
    chip.memory.pins[which].value = new
    # The session goes on as it was, but the new one has not been given yet.
    if which is Which.PW1:
        chip.session.sign = chip.session.other = False
    return b""


def reset_retry_counter(chip: Chip, command: Command) -> bytes:
    """RESET RETRY COUNTER: a new PW1, by the reset code (P1 00) or by PW3 (P1 02)."""
    if command.p2 != SIGN or command.p1 not in (0x00, 0x02):
        raise Denied(Sw.PARAMETERS)
    if command.p1 == 0x02:
        if not chip.session.admin:
            raise Denied(Sw.SECURITY)
        new = command.data
    else:
        new = _by_code(chip, command.data)
    if chip.row.admin_less and not any(chip.memory.keys):
        raise Denied(Sw.CONDITIONS)
    _long_enough(chip, Which.PW1, new, chip.row.too_short_reset or chip.row.too_short)
    pin = chip.memory.pins[Which.PW1]
    pin.value, pin.left = new, pin.tries
    chip.session.sign = chip.session.other = False
    return b""


def _by_code(chip: Chip, data: bytes) -> bytes:
    code = chip.memory.pins[Which.CODE].value
    if code is None:
        raise _blocked(chip)
    _spend(chip, Which.CODE, data[: len(code)])
    return data[len(code) :]


def set_code(chip: Chip, code: bytes) -> None:
    """PUT DATA D3: a reset code with all its tries, or none at all."""
    pin = chip.memory.pins[Which.CODE]
    if not code:
        pin.value, pin.left = None, 0
        return
    _long_enough(chip, Which.CODE, code, Sw.DATA)
    pin.value, pin.left = code, pin.tries


def set_kdf(chip: Chip, value: bytes) -> None:
    """PUT DATA F9: from here on PINs are hashes, and both are the defaults again."""
    if chip.row.admin_less and any(chip.memory.keys):
        raise Denied(Sw.CONDITIONS)
    chip.memory.objects[0xF9] = value
    forget_set(chip, Which.PW1, Which.CODE, Which.PW3)
    chip.session.lock()


def set_tries(chip: Chip, command: Command) -> bytes:
    """A YubiKey's own F2: how many tries each has; all are the defaults again."""
    if not chip.session.admin:
        raise Denied(Sw.SECURITY)
    if len(command.data) != 3 or 0 in command.data:
        raise Denied(Sw.DATA)
    forget_set(chip, Which.PW1, Which.CODE, Which.PW3)
    for which, tries in zip(Which, command.data, strict=True):
        pin = chip.memory.pins[which]
        pin.tries = tries
        pin.left = 0 if which is Which.CODE else tries
    return b""


def key_written(chip: Chip) -> None:
    """On a Gnuk whatever key is written makes PW1 the default again and drops the code.

    A signing PIN that was given stays so: GnuPG signs right after it has made a key.
    """
    if chip.row.admin_less:
        forget_set(chip, Which.PW1, Which.CODE)
        chip.session.other = False


def forget_set(chip: Chip, *names: Which) -> None:
    """What was set is forgotten: the defaults count, with all their tries."""
    for which in names:
        pin = chip.memory.pins[which]
        pin.value, pin.left = None, 0 if which is Which.CODE else pin.tries


def status(chip: Chip) -> bytes:
    """Object C4."""
    pins = chip.memory.pins
    code = pins[Which.CODE]
    shown = chip.row.code_shown if code.value is None else code.left
    tries = (pins[Which.PW1].left, shown, pins[Which.PW3].left)
    return bytes((chip.memory.several,)) + chip.row.longest + bytes(tries)


def admin_blocked(chip: Chip) -> bool:
    """Nobody can be the card's keeper any more; on a Gnuk without PW3 that is PW1's matter."""
    admin_less = chip.row.admin_less and chip.memory.pins[Which.PW3].value is None
    return not chip.memory.pins[Which.PW1 if admin_less else Which.PW3].left


# --- one try ------------------------------------------------------------------------------


def _mode(p2: int) -> int:
    if p2 not in PHYSICAL:
        raise Denied(Sw.PARAMETERS)
    return p2


def _ask(chip: Chip, mode: int) -> bytes:
    given = {
        SIGN: chip.session.sign,
        OTHER: chip.session.other,
        ADMIN: chip.session.admin,
    }[mode]
    if given:
        return b""
    raise Denied(Sw.LEFT + chip.memory.pins[PHYSICAL[mode]].left)


def _grant(chip: Chip, mode: int, given: bool) -> None:
    if mode == SIGN:
        chip.session.sign = given
    elif mode == OTHER:
        chip.session.other = given
    else:
        chip.session.admin = given


def _plausible(chip: Chip, which: Which, pin: bytes) -> None:
    """Refuse, without counting, what this card does not even look at."""
    hash_size = _hash_size(chip)
    if hash_size and chip.row.kdf_length and len(pin) != hash_size:
        raise Denied(chip.row.kdf_length)
    longest = chip.row.longest[{Which.PW1: 0, Which.CODE: 1, Which.PW3: 2}[which]]
    if len(pin) > longest:
        raise Denied(Sw.LENGTH)
    if chip.row.length_first and len(pin) < chip.row.shortest[which]:
        raise Denied(Sw.LENGTH)


def _spend(chip: Chip, which: Which, pin: bytes, word: int = 0) -> None:
    """One try. A right one restores the counter; raises Denied in the card's own words."""
    counted, valid = _counted(chip, which)
    held = chip.memory.pins[counted]
    if not held.left:
        raise Denied(word) if word else _blocked(chip)
    if pin == valid:
        held.left = held.tries
        return
    held.left -= 1
    raise Denied(word or _wrong(chip, held.left))


def _counted(chip: Chip, which: Which) -> tuple[Which, bytes]:
    """Whose counter it is, and what is right: a Gnuk without PW3 takes a PW1 that was set."""
    set_pw1 = chip.memory.pins[Which.PW1].value
    unset = chip.memory.pins[which].value is None
    if chip.row.admin_less and which is Which.PW3 and unset and set_pw1 is not None:
        return Which.PW1, set_pw1
    return which, chip.memory.pin(which)


def _valid(chip: Chip, which: Which) -> bytes:
    return _counted(chip, which)[1]


def _wrong(chip: Chip, left: int) -> int:
    match chip.row.wrong:
        case Wrong.FOREVER | Wrong.PLAIN:
            return Sw.SECURITY
        case Wrong.COUNTED:
            return Sw.LEFT + left
        case Wrong.COUNTED_BLOCKED:
            return Sw.LEFT + left if left else Sw.BLOCKED


def _blocked(chip: Chip) -> Denied:
    words = {Wrong.FOREVER: Sw.SECURITY, Wrong.COUNTED: Sw.LEFT}
    return Denied(words.get(chip.row.wrong, Sw.BLOCKED))


def _hash_size(chip: Chip) -> int:
    """Bytes of a PIN while a KDF is set; 0 without."""
    parts = kdf_parts(chip.memory.objects.get(0xF9, b""))
    if parts.get(0x81, b"\0") == b"\0":
        return 0
    return HASHES.get(parts.get(0x82, b"\0")[0], 0)


def _shortest(chip: Chip, which: Which) -> int:
    return _hash_size(chip) or chip.row.shortest[which]


def _long_enough(chip: Chip, which: Which, new: bytes, word: int) -> None:
    longest = chip.row.longest[0]
    exact = _hash_size(chip)
    if exact and len(new) != exact and chip.row.kdf_length:
        raise Denied(chip.row.kdf_length)
    if not _shortest(chip, which) <= len(new) <= longest:
        raise Denied(word)
