"""Every error the program can show: a sentence that says what happened, then advice.

The rule: no other file defines an exception that reaches a person, and no error is a bare code.

    ConsoleError                    .sentence  .advice  .exit_code
    |-- DeviceError                 what a device, or the wire to it, did                 1
    |   |-- Unplugged               it is gone
    |   |-- Silent                  no answer within the time (.waited seconds)
    |   |-- Garbled                 it answered something its protocol does not know
    |   |-- Refused                 it said no (.code for support)
    |   `-- NotPermitted            this user may not open it, or somebody else holds it
    |       `-- NoLine              its driver has made no such line, or not yet
    |-- BeyondRepair                the device itself has proven it (.proof)              1
    |-- Stopped                     the technician stopped the run                      130
    |-- BadUsage                    a command or an answer that cannot be meant           2
    |   `-- NoSuchFlow              a flow this device does not have
    |-- Unanswered                  a question had no answer, nobody is there             3
    |-- NoSuchDevice                no such device, or several                            4
    |-- GateClosed                  a gate refused: wrong unit, hands off, no room        5
    |-- RecordError                 the record cannot be kept or read                     5
    |   |-- NoRoom                  the state directory is full
    |   |-- NotWritable             the state directory cannot be written
    |   `-- TornJournal             a journal that cannot be read to its end
    `-- BenchError                  the bench process does not do its part                5
        |-- BenchGone               it has ended
        |-- BenchSilent             it holds the lock and does not answer
        `-- BenchDiffers            it is of another version
"""

from __future__ import annotations


class ConsoleError(Exception):
    """A sentence about what happened and a sentence of advice, both for a person."""

    exit_code = 1
    advice_by_default = ""

    def __init__(self, sentence: str, advice: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.advice = advice or self.advice_by_default


class DeviceError(ConsoleError):
    """What a device, or the wire to it, did."""


class Unplugged(DeviceError):
    advice_by_default = "Plug it into the same port again and run the repair again."


class Silent(DeviceError):
    advice_by_default = "Leave it plugged in. If it stays silent, reconnect it and run again."

    def __init__(self, sentence: str, advice: str = "", *, waited: float = 0.0) -> None:
        super().__init__(sentence, advice)
        self.waited = waited


class Garbled(DeviceError):
    advice_by_default = "Reconnect it and run again. If it happens again, export the log."


class Refused(DeviceError):
    advice_by_default = "Export the log; the code in it tells support what the device objected to."

    def __init__(self, sentence: str, advice: str = "", *, code: str = "") -> None:
        super().__init__(sentence, advice)
        self.code = code


class NotPermitted(DeviceError):
    exit_code = 5
    advice_by_default = "Its udev rule is missing (replug udev prints it), or a program holds it."


class NoLine(NotPermitted):
    advice_by_default = "If it just came: wait a moment. Its driver may be missing."


class BeyondRepair(ConsoleError):
    """The device itself has proven that it cannot be repaired here; proof is a list of facts."""

    def __init__(self, sentence: str, advice: str = "", *, proof: tuple[str, ...] = ()) -> None:
        super().__init__(sentence, advice)
        self.proof = proof


class Stopped(ConsoleError):
    exit_code = 130
    advice_by_default = "Run the repair again when you are ready; it starts from what it finds."


class BadUsage(ConsoleError):
    exit_code = 2


class NoSuchFlow(BadUsage):
    advice_by_default = "List them: replug flows DEVICE"


class Unanswered(ConsoleError):
    exit_code = 3

    def __init__(self, sentence: str, advice: str = "", *, question: str = "") -> None:
        super().__init__(sentence, advice)
        self.question = question


class NoSuchDevice(ConsoleError):
    exit_code = 4
    advice_by_default = "See what is plugged in: replug devices"


class GateClosed(ConsoleError):
    exit_code = 5


class RecordError(ConsoleError):
    exit_code = 5


class NoRoom(RecordError):
    advice_by_default = "Make room on that disk, or name another place: --state DIR"


class NotWritable(RecordError):
    advice_by_default = "Give this user the right to write there, or name another: --state DIR"


class TornJournal(RecordError):
    advice_by_default = "What was read up to there is shown; keep the file as it is for support."


class BenchError(ConsoleError):
    exit_code = 5


class BenchGone(BenchError):
    advice_by_default = "Start again; a run that went on is closed as interrupted."


class BenchSilent(BenchError):
    advice_by_default = "I start no second one. Which process it is, says: replug bench status"


class BenchDiffers(BenchError):
    advice_by_default = "Wait until its runs have ended, then: replug bench stop"
