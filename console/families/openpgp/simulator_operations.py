"""What a simulated OpenPGP card does with keys: make, take in, sign, decrypt, authenticate.

The rule: each checks what the card checks, in its order, and says what it costs (`Effort`); the
time itself passes outside (OpenPGP card 3.4, 7.2.10 to 7.2.18).
"""

from __future__ import annotations

from secrets import token_bytes

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from console.families.openpgp import simulator_keys as keys
from console.families.openpgp import simulator_pins as pins
from console.families.openpgp.simulator_state import Chip, Effort, Key, Origin
from console.families.openpgp.simulator_words import Denied, Sw
from console.hardware.simulated_command import Command
from console.protocols import tlv

CONTROL = {0xB6: 0, 0xB8: 1, 0xA4: 2}
"""Control reference templates of the slots (ISO 7816-4, table 54)."""
SIGN, DECRYPT, AUTHENTICATE = 0, 1, 2
MAKE, SHOW = 0x80, 0x81
MOST_SIGNATURES = 0xFFFFFF
PARTS = range(0x91, 0x9A)


def key_pair(chip: Chip, command: Command) -> bytes:
    """GENERATE ASYMMETRIC KEY PAIR: P1 80 makes one, 81 shows what is there."""
    slot = _slot(command.data)
    if command.p1 == SHOW:
        key = chip.memory.keys[slot]
        if key is None:
            raise Denied(Sw.NO_REFERENCE)
        return keys.public_object(key.private)
    if command.p1 != MAKE or command.p2:
        raise Denied(Sw.PARAMETERS)
    if not chip.session.admin:
        raise Denied(Sw.SECURITY)
    attributes = chip.memory.attributes[slot]
    chip.effort = Effort("generate", attributes)
    if keys.algorithm(attributes).name in chip.row.cannot_generate:
        raise Denied(chip.row.cannot_code)
    _write(chip, slot, Key(keys.generated(attributes), attributes, Origin.GENERATED))
    key = chip.memory.keys[slot]
    assert key is not None
    return keys.public_object(key.private)


def take_in(chip: Chip, command: Command) -> bytes:
    """PUT DATA 3FFF: a private key in an extended header list."""
    if command.parameters != 0x3FFF:
        raise Denied(Sw.PARAMETERS)
    if not chip.session.admin:
        raise Denied(Sw.SECURITY)
    inside = tlv.find(command.data, 0x4D)
    if inside is None:
        raise Denied(Sw.DATA)
    lengths, values = tlv.find(inside, 0x7F48), tlv.find(inside, 0x5F48)
    if lengths is None or values is None:
        raise Denied(Sw.DATA)
    slot = _slot(inside)
    attributes = chip.memory.attributes[slot]
    made = keys.imported(attributes, _parts(lengths, values))
    chip.effort = Effort("import", attributes)
    _write(chip, slot, Key(made, attributes, Origin.IMPORTED))
    return b""


def _parts(lengths: bytes, values: bytes) -> dict[int, bytes]:
    """7F48 holds tags and lengths only; 5F48 the values, one after the other."""
    found: dict[int, bytes] = {}
    at = 0
    while lengths:
        tag, start, size = tlv.header(lengths)
        if tag not in PARTS or at + size > len(values):
            raise Denied(Sw.DATA)
        found[tag] = values[at : at + size]
        at += size
        lengths = lengths[start:]
    return found


def _slot(data: bytes) -> int:
    """Of the control reference template that `data` begins with."""
    if not data or data[0] not in CONTROL:
        raise Denied(Sw.DATA)
    return CONTROL[data[0]]


def _write(chip: Chip, slot: int, key: Key) -> None:
    chip.memory.keys[slot] = key
    if slot == SIGN:
        chip.memory.signatures = 0
    pins.key_written(chip)


# --- use ----------------------------------------------------------------------------------


def security_operation(chip: Chip, command: Command) -> bytes:
    """PERFORM SECURITY OPERATION: sign (9E9A), decipher (8086), encipher with AES (8680)."""
    match command.parameters:
        case 0x9E9A:
            return _sign(chip, command.data)
        case 0x8086:
            return _decipher(chip, command.data)
        case 0x8680:
            return _encipher(chip, command.data)
    raise Denied(Sw.PARAMETERS)


def _sign(chip: Chip, data: bytes) -> bytes:
    key = _key(chip, SIGN)
    if not chip.session.sign:
        raise Denied(Sw.SECURITY)
    done = keys.signature(key.private, data)
    _use(chip, SIGN, key)
    if not chip.memory.several:
        chip.session.sign = False
    chip.memory.signatures = min(chip.memory.signatures + 1, MOST_SIGNATURES)
    return done


def _decipher(chip: Chip, data: bytes) -> bytes:
    if not chip.session.other:
        raise Denied(Sw.SECURITY)
    if data[:1] == b"\x02":
        return _aes(chip, data[1:], encrypt=False)
    slot = chip.session.decipher_slot
    key = _key(chip, slot)
    done = keys.opened(key.private, data)
    _use(chip, slot, key)
    return done


def _encipher(chip: Chip, data: bytes) -> bytes:
    if not chip.session.other:
        raise Denied(Sw.SECURITY)
    return b"\x02" + _aes(chip, data, encrypt=True)


def _aes(chip: Chip, data: bytes, encrypt: bool) -> bytes:
    if not chip.memory.symmetric:
        raise Denied(Sw.CONDITIONS)
    if not data or len(data) % 16:
        raise Denied(Sw.DATA)
    cipher = Cipher(AES(chip.memory.symmetric), modes.CBC(bytes(16)))
    work = cipher.encryptor() if encrypt else cipher.decryptor()
    return work.update(data) + work.finalize()


def authenticate(chip: Chip, command: Command) -> bytes:
    """INTERNAL AUTHENTICATE: a signature with the third key."""
    if command.parameters:
        raise Denied(Sw.PARAMETERS)
    if not chip.session.other:
        raise Denied(Sw.SECURITY)
    slot = chip.session.authenticate_slot
    key = _key(chip, slot)
    done = keys.signature(key.private, command.data)
    _use(chip, slot, key)
    return done


def environment(chip: Chip, command: Command) -> bytes:
    """MANAGE SECURITY ENVIRONMENT: which key decrypts, which authenticates."""
    if not (chip.row.version >= b"\x03" and chip.row.capabilities[9]):
        raise Denied(Sw.INSTRUCTION)
    if command.p1 != 0x41 or command.p2 not in (0xA4, 0xB8):
        raise Denied(Sw.PARAMETERS)
    references = {bytes((0x83, 1, 2)): DECRYPT, bytes((0x83, 1, 3)): AUTHENTICATE}
    if command.data not in references:
        raise Denied(Sw.DATA)
    if command.p2 == 0xB8:
        chip.session.decipher_slot = references[command.data]
    else:
        chip.session.authenticate_slot = references[command.data]
    return b""


def challenge(chip: Chip, command: Command) -> bytes:
    """GET CHALLENGE: random bytes, as many as are wanted."""
    most = int.from_bytes(chip.row.capabilities[2:4], "big") or 256
    wanted = command.expected or 0
    if wanted > most:
        raise Denied(Sw.LENGTH)
    return token_bytes(wanted)


def _key(chip: Chip, slot: int) -> Key:
    key = chip.memory.keys[slot]
    if key is None:
        raise Denied(chip.row.no_key)
    return key


def _use(chip: Chip, slot: int, key: Key) -> None:
    chip.effort = Effort("use", key.attributes, touch=bool(chip.memory.touch[slot]))
