"""The vendor's server-key block: the key that a device trusts, and where its cloud is.

The rule: pure but for reading the product's own copy. The two blocks are those of
particle-iot/particle-cli, assets/keys (rsa.pub.der and ec.pub.der); address and port may be
edited, the key never.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from console.errors import BadUsage
from console.families.particle.platforms import Platform, ServerBlock
from console.families.particle.typed import decimal, said_back

IPV4, DOMAIN = 0, 1
DEFAULT_PORT = 0xFFFF
"""What a blank port field reads: the firmware then takes its own default."""
_NAME = re.compile(r"[A-Za-z0-9$_-][A-Za-z0-9$_.-]*")
_UNTOUCHED = "Nothing is written."


def block(platform: Platform, address: str | None, port: str | None) -> bytes:
    """The block as it fills the platform's slot. Raises BadUsage for what cannot be meant."""
    at = platform.block
    data = Path(__file__).with_name(at.file).read_bytes()
    assert len(data) == at.size
    if address:
        field = _field(address.strip(), at).ljust(at.port_at - at.address_at, b"\xff")
        data = data[: at.address_at] + field + data[at.port_at :]
    if port:
        data = data[: at.port_at] + _port(port).to_bytes(2, "big") + data[at.port_at + 2 :]
    return data.ljust(platform.server.size, b"\xff")


def _field(address: str, at: ServerBlock) -> bytes:
    """Type, length and address: the IPv4 address in its order, or a name."""
    try:
        packed = ipaddress.IPv4Address(address).packed
        return bytes((IPV4, len(packed))) + packed
    except ValueError:
        pass
    most = at.port_at - at.address_at - 2
    if not _NAME.fullmatch(address) or not address.strip("0123456789."):
        raise BadUsage(f'"{said_back(address)}" is neither a name nor an IPv4 address.', _UNTOUCHED)
    if len(address) > most:
        raise BadUsage(
            f"The name has {len(address)} characters; {most} have room before the port.",
            _UNTOUCHED,
        )
    return bytes((DOMAIN, len(address))) + address.encode("ascii")


def _port(text: str) -> int:
    port = decimal(text)
    if not 0 < port < DEFAULT_PORT:
        raise BadUsage(f'"{said_back(text)}" is no port: a number from 1 to 65534.', _UNTOUCHED)
    return port


def described(data: bytes, platform: Platform) -> str:
    """Where a block sends its device, in words."""
    at = platform.block
    kind, length = data[at.address_at], data[at.address_at + 1]
    raw = data[at.address_at + 2 : at.address_at + 2 + length]
    if kind == IPV4 and length == 4:
        address = str(ipaddress.IPv4Address(raw))
    elif kind == DOMAIN and length <= at.port_at - at.address_at - 2:
        address = raw.decode("ascii", errors="replace")
    else:
        address = "the address in its firmware"
    port = int.from_bytes(data[at.port_at : at.port_at + 2], "big")
    return f"{address}, port {at.port if port == DEFAULT_PORT else port}"
