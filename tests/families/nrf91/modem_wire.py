"""A host's two hands at a simulated Thingy:91: endpoints, lines, and the time that passes."""

from __future__ import annotations

import hashlib

from console.families.nrf91.simulator import Thingy
from console.families.nrf91.simulator_contents import certificate_pem, store_of_case_5
from console.families.nrf91.simulator_rows import AT_CLIENT, MFW_1_3_6
from console.hardware.simulated import Away

IMEI = "352656100000999"
OUT, INTO = (0x02, 0x04), (0x82, 0x84)
FINAL = ("OK", "ERROR")
CA, OTHER_CA = certificate_pem("Test CA"), certificate_pem("Other CA")
CASE_5 = store_of_case_5()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest().upper()


class Wire:
    """One unit, booted; `passed` is the time that it let pass."""

    def __init__(
        self, firmware=MFW_1_3_6, application=AT_CLIENT, contents=None, *, boot=True, **options
    ) -> None:
        self.passed = 0.0
        self.unit = Thingy(self._pause, IMEI, firmware, application, contents, **options)
        talks = application.at_port
        self.port = 0 if talks is None else talks
        self.heard = b""
        if boot:
            self.boot()

    def _pause(self, seconds: float) -> None:
        self.passed += seconds

    @property
    def store(self):
        return self.unit.modem.store

    def boot(self) -> str:
        """All that it says of itself until it is ready."""
        return self.listen(40).decode("latin-1")

    def send(self, data: bytes, port: int | None = None) -> None:
        self.unit.send(OUT[self.port if port is None else port], data)

    def listen(self, asks: int = 4, port: int | None = None) -> bytes:
        """What comes in so many reads."""
        into = INTO[self.port if port is None else port]
        return b"".join(self.unit.receive(into, 4096) or b"" for _ in range(asks))

    def until_final(self) -> list[str]:
        """Lines up to a final one."""
        heard = b""
        for _ in range(2000):
            heard += self.unit.receive(INTO[self.port], 4096) or b""
            lines = heard.decode("latin-1").split("\r\n")
            if len(lines) > 1 and (lines[-2] in FINAL or lines[-2].startswith("+CME ERROR")):
                return lines[:-1]
        raise AssertionError(f"no final line: {heard!r}")

    def ask(self, command: str, end: str = "\r\n") -> list[str]:
        self.send((command + end).encode("latin-1"))
        return self.until_final()

    def offline(self) -> Wire:
        """With error codes, and the radio off."""
        assert self.ask("AT+CMEE=1")[-1] == "OK"
        assert self.ask("AT+CFUN=4")[-1] == "OK"
        return self

    def write(self, tag: int, kind: int, text: str) -> str:
        return self.ask(f'AT%CMNG=0,{tag},{kind},"{text}"')[-1]

    def listed(self) -> dict[tuple[int, int], str]:
        """The users' entries with their digests, as listed."""
        found = {}
        for told in self.ask("AT%CMNG=1"):
            if told.startswith("%CMNG: "):
                tag, kind, *rest = told[len("%CMNG: ") :].split(",")
                found[int(tag), int(kind)] = rest[0].strip('"') if rest else ""
        return {pair: text for pair, text in found.items() if pair[0] <= 2147483647}

    def cycle(self, press: str = "reset") -> None:
        """Off and on, by its switch."""
        self.unit.press(press)
        assert self.unit.away is not None
        self.unit.power_on()
        self.boot()

    def pull(self) -> None:
        """The cable out and in again, as the practice board does it."""
        self.unit.away = Away(None)
        self.unit.power_on()
