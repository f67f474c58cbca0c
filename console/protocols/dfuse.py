"""The client of ST's DfuSe 1.1a over a control line: states, reading, erasing, writing, leaving.

The rule: the device's status answer drives everything. A transfer that went through proves
nothing, and the poll time that the device announces is waited. An erase is sent once; whether
it may be sent again is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from console.errors import DeviceError, Garbled, Refused, Silent
from console.hardware.lines import ControlLine
from console.protocols import usb
from console.protocols.dfu import (
    SENTENCES,
    TIMEOUT,
    Command,
    Facts,
    Request,
    State,
    Status,
    StatusAnswer,
    string,
)

WATCHDOG = 10.0
"""Seconds an erase may take beyond the time that the device announced itself."""
MOST_ROUNDS = 6
MOST_ZERO_POLLS = 100
MOST_STALLS = 3
FIRST_BLOCK = 2
"""Data blocks count from 2: 0 is for commands, 1 is reserved and upsets ST's code."""

Pause = Callable[[float], None]
Progress = Callable[[int, int], None]


def unseen(done: int, total: int) -> None:
    """Progress that nobody watches."""


class _Busy:
    """The patience that one piece of work is given."""

    def __init__(self, doing: str, watchdog: float) -> None:
        self.doing = doing
        self.watchdog = watchdog
        self.poll = 0.0
        self._waited = 0.0
        self._announced = 0.0
        self._was_busy = False
        self._zeros = 0
        self._stalls = 0

    def takes(self, answer: StatusAnswer) -> bool:
        """True if the answer says that it is still at work. Raises when patience ends."""
        if answer.state not in (State.dfuDNBUSY, State.dfuDNLOAD_SYNC):
            return False
        if answer.status is not Status.OK:
            return False
        self._was_busy = True
        self._announced = max(self._announced, answer.poll)
        self._waited += self.poll
        self.poll = answer.poll
        self._zeros = 0 if answer.poll else self._zeros + 1
        if self._zeros >= MOST_ZERO_POLLS:
            raise Garbled(f"It is stuck {self.doing}: busy {self._zeros} times, with no wait.")
        if self._waited > self._announced + self.watchdog:
            raise self.silence()
        return True

    def may_stall(self) -> bool:
        self._stalls += 1
        return self._was_busy and self._stalls <= MOST_STALLS

    def silence(self) -> Silent:
        waited = self._announced + self.watchdog
        return Silent(f"It did not end {self.doing} within {waited:.1f} seconds.", waited=waited)


class DfuSe:
    """The DfuSe side of one device: states, commands, reading, erasing, writing, leaving."""

    def __init__(self, line: ControlLine, pause: Pause, facts: Facts) -> None:
        self.facts = facts
        self._line = line
        self._pause = pause
        self._takes_more = False
        """It is in dfuDNLOAD-IDLE as its last status said, and nothing was sent since."""
        self._erase_points = facts.quirks.erase_points
        self._pointer: int | None = None
        """Where the last erase has left the address, if nothing was sent since."""

    # --- the requests of DFU 1.1 -----------------------------------------------------------

    def get_status(self, timeout: float = TIMEOUT) -> StatusAnswer:
        interface = self.facts.interface
        return StatusAnswer.parse(
            self._line.read(usb.CLASS_IN_INTERFACE, Request.GETSTATUS, 0, interface, 6, timeout)
        )

    def _out(self, request: Request, value: int = 0, data: bytes = b"") -> None:
        self._takes_more, self._pointer = False, None
        interface = self.facts.interface
        self._line.write(usb.CLASS_OUT_INTERFACE, request, value, interface, data, TIMEOUT)

    def _upload(self, block: int, length: int) -> bytes:
        interface = self.facts.interface
        try:
            return self._line.read(
                usb.CLASS_IN_INTERFACE, Request.UPLOAD, block, interface, length, TIMEOUT
            )
        except Refused:
            raise self._refusal(self.get_status()) from None

    # --- getting into a known state ---------------------------------------------------------

    def select(self, alternate: int) -> None:
        self._takes_more, self._pointer = False, None
        self._line.select(self.facts.interface, alternate)

    def normalise(self) -> None:
        """Bring it to dfuIDLE from whatever an earlier program, or its entry, left.

        ST's bootloaders start in dfuERROR with errFIRMWARE on purpose; that is no fault.
        """
        for _ in range(MOST_ROUNDS):
            answer = self.get_status()
            if answer.state is State.dfuIDLE and answer.status is Status.OK:
                return
            self._towards_idle(answer)
        raise Refused(
            f"It does not come to rest: it stays in {answer.state.name}.",
            "Nothing is written. Reconnect it in DFU mode and run again.",
            code=answer.words,
        )

    def _towards_idle(self, answer: StatusAnswer) -> None:
        match answer.state:
            case State.appIDLE | State.appDETACH:
                raise Refused(
                    "It is still in its application, not in DFU mode.",
                    "Bring it into DFU mode and run again. Nothing is written.",
                    code=answer.words,
                )
            case State.dfuERROR | State.dfuIDLE:
                self._rest(answer.poll)
                self._out(Request.CLRSTATUS)
            case State.dfuDNLOAD_IDLE | State.dfuUPLOAD_IDLE:
                self._out(Request.ABORT)
            case State.dfuMANIFEST_WAIT_RESET:
                self._line.reset()
            case _:
                self._rest(answer.poll)

    def _rest(self, seconds: float) -> None:
        if seconds:
            self._pause(seconds)

    # --- the commands of DfuSe --------------------------------------------------------------

    def get_commands(self) -> bytes:
        """The commands it knows, one byte each."""
        self.normalise()
        commands = self._upload(0, self.facts.max_packet_0)
        self.normalise()
        return commands

    def set_address(self, address: int) -> None:
        command = bytes((Command.SET_ADDRESS,)) + address.to_bytes(4, "little")
        self._download(0, command, "setting the address")

    def erase_page(self, address: int, watchdog: float = WATCHDOG) -> None:
        """Erase the page that holds the address. Sent once.

        Raises Silent with `waited` of at least `watchdog` if it was taken and then never
        ended; any shorter `waited` means that it was not started.
        """
        command = bytes((Command.ERASE,)) + address.to_bytes(4, "little")
        self._send(0, command)
        self._settle("erasing", watchdog)
        self._pointer = address if self._erase_points else None

    def erasing_order(self, pages: tuple[int, ...]) -> tuple[int, ...]:
        """The pages in the order that costs least: the one that is written first comes last."""
        return pages[::-1] if self._erase_points else pages

    def set_every_address(self) -> None:
        """Trust no erase to leave the address on its page, whatever is known of the device."""
        self._erase_points, self._pointer = False, None

    def _download(self, block: int, data: bytes, doing: str) -> None:
        self._send(block, data)
        self._settle(doing, TIMEOUT)

    def _send(self, block: int, data: bytes) -> None:
        try:
            self._out(Request.DNLOAD, block, data)
        except Refused:
            raise self._refusal(self.get_status()) from None

    def _settle(self, doing: str, watchdog: float) -> None:
        """Follow the work to its end: the first GETSTATUS starts it, the later ones ask."""
        busy = _Busy(doing, watchdog)
        while True:
            answer = self._ask_working(busy)
            if answer is not None and not busy.takes(answer):
                break
            self._rest(busy.poll)
        if answer.status is not Status.OK or answer.state is State.dfuERROR:
            raise self._refusal(answer)
        if answer.state is not State.dfuDNLOAD_IDLE:
            raise Garbled(f"It is in {answer.state.name} after {doing}, where no device can be.")
        self._takes_more = True

    def _ask_working(self, busy: _Busy) -> StatusAnswer | None:
        """Its status; None for one of the few stalls that a busy device is allowed."""
        try:
            return self.get_status(busy.watchdog)
        except Silent as error:
            raise busy.silence() from error
        except Refused:
            # STM32L4 stalls when it is asked while busy.
            if not busy.may_stall():
                raise
            return None

    def _refusal(self, answer: StatusAnswer) -> Refused:
        sentence = SENTENCES.get(answer.status, "It refused the request and gives no reason.")
        said = string(self._line, answer.i_string)
        if said:
            sentence = f'{sentence} It adds: "{said}".'
        return Refused(sentence, code=answer.words)

    # --- memory -----------------------------------------------------------------------------

    def read(self, address: int, length: int, progress: Progress = unseen) -> bytes:
        """Read a range; leaves it in dfuIDLE."""
        self.normalise()
        data = b""
        for block, pointer, size in self._blocks(address, length):
            if pointer is not None:
                self._point_for_upload(pointer)
            part = self._upload(block, size)
            if len(part) != size:
                raise Garbled(f"It sent {len(part)} of {size} bytes from {pointer or address:#x}.")
            data += part
            progress(len(data), length)
        self._out(Request.ABORT)
        return data

    def _point_for_upload(self, address: int) -> None:
        # UPLOAD is legal from dfuIDLE and dfuUPLOAD-IDLE only, and set-address ends elsewhere.
        self.normalise()
        self.set_address(address)
        self._out(Request.ABORT)

    def write(self, address: int, data: bytes, progress: Progress = unseen) -> None:
        """Write a contiguous, erased range; leaves it in dfuDNLOAD-IDLE."""
        if not self._takes_more:
            self.normalise()
        done = 0
        for block, pointer, size in self._blocks(address, len(data)):
            if pointer is not None and pointer != self._pointer:
                self.set_address(pointer)
            self._download(block, data[done : done + size], "writing")
            done += size
            progress(done, len(data))

    def _blocks(self, address: int, length: int) -> Iterator[tuple[int, int | None, int]]:
        """Block number, the address to set before it (None: it follows on), and its size."""
        step = self.facts.block
        each = self.facts.address_each_block
        for at in range(0, length, step):
            size = min(step, length - at)
            if each or not at:
                yield FIRST_BLOCK, address + at, size
            else:
                yield FIRST_BLOCK + at // step, None, size

    def leave(self, address: int) -> str:
        """Start the application at the address; what was seen of the device then.

        Errors after the empty DNLOAD are normal: the device is on its way off the bus.
        """
        self.normalise()
        self.set_address(address)
        try:
            self._out(Request.DNLOAD, FIRST_BLOCK)
            # This GETSTATUS is what makes it leave. Particle's second generation answers
            # dfuDNLOAD-IDLE to it, others dfuMANIFEST, others nothing at all.
            return f"It said {self.get_status().state.name} and leaves."
        except DeviceError as error:
            return f"It left without a last word. ({error.sentence})"
