"""USB descriptors and the numbers of a setup packet (USB 2.0, chapter 9).

The rule: pure. Bytes go in, values come out; bytes that cannot be meant raise Garbled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from console.errors import Garbled

# bmRequestType (table 9-2)
STANDARD_IN_DEVICE = 0x80
CLASS_OUT_INTERFACE = 0x21
CLASS_IN_INTERFACE = 0xA1

ENGLISH = 0x0409
"""The language asked for in string descriptors; nearly all devices have only this one."""


class Request(IntEnum):
    """Standard requests (table 9-4)."""

    GET_STATUS = 0
    CLEAR_FEATURE = 1
    SET_FEATURE = 3
    SET_ADDRESS = 5
    GET_DESCRIPTOR = 6
    SET_DESCRIPTOR = 7
    GET_CONFIGURATION = 8
    SET_CONFIGURATION = 9
    GET_INTERFACE = 10
    SET_INTERFACE = 11


class DescriptorType(IntEnum):
    """Descriptor types (table 9-5), and the one DFU 1.1 adds (4.1.3)."""

    DEVICE = 1
    CONFIGURATION = 2
    STRING = 3
    INTERFACE = 4
    ENDPOINT = 5
    DFU_FUNCTIONAL = 0x21


@dataclass(frozen=True)
class DeviceDescriptor:
    """The device descriptor (table 9-8)."""

    max_packet_0: int
    vid: int
    pid: int
    release: int
    i_maker: int
    i_product: int
    i_serial: int

    @classmethod
    def parse(cls, data: bytes) -> DeviceDescriptor:
        if len(data) < 18 or data[1] != DescriptorType.DEVICE:
            raise Garbled("Its device descriptor is not one.")
        word = int.from_bytes
        return cls(
            max_packet_0=data[7],
            vid=word(data[8:10], "little"),
            pid=word(data[10:12], "little"),
            release=word(data[12:14], "little"),
            i_maker=data[14],
            i_product=data[15],
            i_serial=data[16],
        )


@dataclass(frozen=True)
class InterfaceDescriptor:
    """One alternate setting of an interface (table 9-12)."""

    number: int
    alternate: int
    endpoints: int
    class_code: int
    subclass: int
    protocol: int
    i_interface: int

    @classmethod
    def parse(cls, data: bytes) -> InterfaceDescriptor:
        if len(data) < 9 or data[1] != DescriptorType.INTERFACE:
            raise Garbled("One of its interface descriptors is not one.")
        return cls(data[2], data[3], data[4], data[5], data[6], data[7], data[8])


def total_length(configuration_head: bytes) -> int:
    """wTotalLength of a configuration descriptor, from its first bytes (table 9-10)."""
    if len(configuration_head) < 4 or configuration_head[1] != DescriptorType.CONFIGURATION:
        raise Garbled("Its configuration descriptor is not one.")
    return int.from_bytes(configuration_head[2:4], "little")


def split(descriptors: bytes) -> Iterator[bytes]:
    """The descriptors that follow each other in `descriptors`, each with its own head."""
    at = 0
    while at < len(descriptors):
        length = descriptors[at]
        if length < 2 or at + length > len(descriptors):
            raise Garbled("Its descriptors end in the middle of one.")
        yield descriptors[at : at + length]
        at += length


def text_of(string_descriptor: bytes) -> str:
    """The text of a string descriptor (9.6.7)."""
    head = string_descriptor[:2]
    if len(head) < 2 or head[1] != DescriptorType.STRING:
        raise Garbled("One of its string descriptors is not one.")
    body = string_descriptor[2 : head[0]]
    return body.decode("utf-16-le", errors="replace").rstrip("\0")
