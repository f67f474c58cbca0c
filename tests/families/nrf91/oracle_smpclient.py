"""smpclient at a pseudo terminal: PORT, and a file to upload ("-": none), "confirm", "reset".

Says what the device answered, a line each; versions of the protocol: the library's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

from smpclient import SMPClient
from smpclient.generics import error, success
from smpclient.requests.image_management import ImageStatesRead, ImageStatesWrite
from smpclient.requests.os_management import EchoWrite, ResetWrite
from smpclient.transport.serial import SMPSerialTransport


async def told(client: SMPClient) -> bytes:
    """Each image in a line; the digest of the first."""
    states = await client.request(ImageStatesRead())
    assert success(states), states
    for image in states.images:
        print("image", image.slot, image.version, image.hash.hex(), image.confirmed)
    return states.images[0].hash if states.images else b""


async def main(port: str, path: str, *words: str) -> None:
    async with SMPClient(SMPSerialTransport(), port, timeout_s=5.0) as client:
        answer = await client.request(EchoWrite(d="hello"))
        print("echo", answer.r if success(answer) else "refused")
        await told(client)
        if path != "-":
            image = Path(path).read_bytes()
            places = [place async for place in client.upload(image)]
            print("uploaded", places[-1], len(places), hashlib.sha256(image).hexdigest())
        digest = await told(client)
        if "confirm" in words:
            done = await client.request(ImageStatesWrite(hash=digest, confirm=True))
            print("confirmed", success(done))
        if "unknown" in words:
            done = await client.request(ImageStatesWrite(hash=bytes(32), confirm=True))
            print("refused", error(done), done.rc)
        if "reset" in words:
            # MCUboot answers with rc 0, which the library reads as an error of that number.
            done = await client.request(ResetWrite())
            print("reset", success(done) or done.rc == 0)


asyncio.run(main(*sys.argv[1:]))
