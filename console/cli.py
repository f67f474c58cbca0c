"""The command line, thin: it parses words, asks the bench or the state directory, and prints.

The rule: no command but the bare `replug` imports a screen. Exit codes: 0 done; 1 not repaired,
or a check that found a fault; 2 usage; 3 a question had no answer; 4 no such device, or
several; 5 refused by a gate; 6 left waiting; 130 stopped.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from console import __version__
from console.commands import bench, devices, jobs, practice, record, runs, said, udev
from console.commands.words import complain, complete, fall_silent, prepare
from console.errors import BadUsage, ConsoleError
from console.report import FORMATS
from console.state import State, state_directory, storage_error


class _Exact(argparse.ArgumentParser):
    """Takes options in full only: a script's short form would change its meaning one day."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **words})


def parser() -> _Exact:
    """The whole command line."""
    both = _Exact(add_help=False)
    both.add_argument(
        "--practice",
        metavar="SCENARIO",
        default=argparse.SUPPRESS,
        help="simulated hardware, with a state directory of its own",
    )
    both.add_argument(
        "--state", metavar="DIR", default=argparse.SUPPRESS, help="where journals and vault lie"
    )
    top = _Exact(
        prog="replug",
        parents=[both],
        description="A field-service console: what is plugged in, what is wrong, and the repair.",
    )
    top.add_argument("--version", action="version", version=f"replug {__version__}")
    top.set_defaults(do=bench.screen)
    words = top.add_subparsers(metavar="COMMAND")
    _device_words(words, both)
    _run_words(words, both)
    _job_words(words, both)
    _record_words(words, both)
    _bench_words(words, both)
    return top


Words = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _word(
    words: Words[_Exact],
    both: _Exact,
    name: str,
    do: object,
    about: str,
) -> _Exact:
    word = words.add_parser(name, parents=[both], help=about, description=about)
    word.set_defaults(do=do)
    return word


def _device_words(words: Words[_Exact], both: _Exact) -> None:
    word = _word(words, both, "devices", devices.devices, "what is plugged in")
    word.add_argument("--json", action="store_true", help="a list of objects")
    word.add_argument("--watch", action="store_true", help="stay, and tell what comes and goes")
    word = _word(words, both, "flows", devices.flows, "what can be done with a device")
    word.add_argument("device", metavar="DEVICE", help="port path, its label, serial, or VID:PID")
    word.add_argument("--json", action="store_true")
    word = _word(words, both, "label", said.label, "name a port; without NAME: take its name away")
    word.add_argument("port", metavar="PORT")
    word.add_argument("name", metavar="NAME", nargs="?", default="")
    word = _word(words, both, "note", said.note, "a note for the record, of a run or of the day")
    word.add_argument("text", metavar="TEXT")
    word.add_argument("--run", metavar="RUN", default="", help="it may have ended already")
    word.add_argument("--job", metavar="ID", default="", help="the work order it belongs to")
    word = _word(words, both, "mark", said.mark, "mark what sits in a port; it then has no flows")
    word.add_argument("port", metavar="PORT")
    word.add_argument("mark", metavar="MARK", choices=("hands-off", "clear"))


def _run_words(words: Words[_Exact], both: _Exact) -> None:
    run = _word(words, both, "run", runs.run, "perform a flow on a device")
    run.add_argument("flow", metavar="FLOW", help="family.flow, or the bare word")
    run.add_argument(
        "device", metavar="DEVICE", nargs="?", default="", help="port path, serial, or VID:PID"
    )
    run.add_argument(
        "--not-shown",
        action="store_true",
        help="it does not appear: a check finds out why, any other flow waits for it",
    )
    run.add_argument(
        "--port", metavar="PORT", default="", help="with --not-shown: its port, or that one's label"
    )
    run.add_argument("--answer", metavar="ID=VALUE", action="append", default=[])
    run.add_argument("--answers", metavar="FILE.toml", help="a table [answers]; secrets by file")
    run.add_argument("--yes", action="store_true", help="answer plain confirmations with yes")
    run.add_argument("--job", metavar="ID", default="", help="the work order it belongs to")
    run.add_argument("--json", action="store_true", help="the run's events, one a line")
    run.add_argument("--detach", action="store_true", help="start it, print its id, and go")
    listed = _word(words, both, "runs", runs.runs, "every run there is")
    listed.add_argument("--json", action="store_true")
    attach = _word(words, both, "attach", runs.attach, "follow a run that goes on")
    attach.add_argument("run", metavar="RUN")
    attach.add_argument("--json", action="store_true")
    stop = _word(words, both, "stop", runs.stop, "stop a run at its next safe point")
    stop.add_argument("run", metavar="RUN")


def _job_words(words: Words[_Exact], both: _Exact) -> None:
    job = words.add_parser("job", help="the work orders", parents=[both])
    job_words = job.add_subparsers(metavar="WORD", required=True)
    word = _word(job_words, both, "list", jobs.job_list, "every job there is")
    word.add_argument("--json", action="store_true")
    word = _word(job_words, both, "show", jobs.job_show, "its devices, runs, notes, files, inbox")
    word.add_argument("id", metavar="ID")
    word.add_argument("--json", action="store_true")
    word = _word(job_words, both, "open", jobs.job_open, "open one; its inbox is there then")
    word.add_argument("id", metavar="ID")
    word.add_argument("--customer", metavar="REF", default="", help="the customer's reference")
    word = _word(job_words, both, "add", jobs.job_add, "a device belongs to it from now on")
    word.add_argument("id", metavar="ID")
    word.add_argument("device", metavar="DEVICE")


def _record_words(words: Words[_Exact], both: _Exact) -> None:
    log = words.add_parser("log", help="the record of the runs", parents=[both])
    log_words = log.add_subparsers(metavar="WORD", required=True)
    _word(log_words, both, "list", runs.runs, "every run there is").add_argument(
        "--json", action="store_true"
    )
    export = _word(log_words, both, "export", record.export, "hand over the record of a run")
    export.add_argument("run", metavar="RUN", nargs="?", default="", help='number, or "last"')
    export.add_argument("--job", metavar="ID", default="", help="every run and note of a job")
    export.add_argument("--format", choices=FORMATS, default="jsonl")
    export.add_argument("--to", metavar="FILE", help="instead of standard output")
    ticket = _word(words, both, "ticket", record.ticket, "a run as 40 plain lines, to paste")
    ticket.add_argument("run", metavar="RUN", help='its number, or "last"')
    vault = words.add_parser("vault", help="raw backups that hold keys", parents=[both])
    vault_words = vault.add_subparsers(metavar="WORD", required=True)
    _word(vault_words, both, "list", record.vault_list, "what lies in the vault").add_argument(
        "--json", action="store_true"
    )
    delete = _word(vault_words, both, "delete", record.vault_delete, "delete for good")
    delete.add_argument(
        "--unfinished", action="store_true", help="even what an unfinished repair may need"
    )
    delete.add_argument("name", metavar="NAME", nargs="+")


def _bench_words(words: Words[_Exact], both: _Exact) -> None:
    process = words.add_parser("bench", help="the bench process", parents=[both])
    bench_words = process.add_subparsers(metavar="WORD", required=True)
    _word(bench_words, both, "status", bench.bench_status, "does one live").add_argument(
        "--json", action="store_true"
    )
    _word(bench_words, both, "stop", bench.bench_stop, "end it, if no run goes on")
    _word(words, both, "udev", udev.udev, "the udev rules that let this bench open its devices")
    plug = _word(words, both, "plug", practice.plug, "practice: plug a simulated device in")
    plug.add_argument("port", metavar="PORT")
    plug.add_argument(
        "of", metavar="FROM", nargs="?", default="", help="the device that lies at this port"
    )
    pull = _word(words, both, "pull", practice.pull, "practice: pull a simulated device out")
    pull.add_argument("port", metavar="PORT")
    press = _word(words, both, "press", practice.press, "practice: use its buttons")
    press.add_argument("port", metavar="PORT")
    press.add_argument("buttons", metavar="BUTTONS", nargs="?", default="")
    _word(words, both, "scenarios", practice.scenarios, "practice: the scenarios there are")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    prepare()
    given = parser().parse_args(words)
    state = None
    try:
        state = _state(given)
        return int(given.do(given, state))
    except ConsoleError as error:
        _refuse(error, state)
        return error.exit_code
    except BrokenPipeError:
        fall_silent()  # who read our output had seen enough
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        fall_silent()
        return _fault_of_the_machine(error)
    except Exception as error:  # noqa: BLE001 - a person never sees a traceback
        return _mistake(error, state)


def _state(given: argparse.Namespace) -> State:
    """The state directory that is meant. Raises BadUsage."""
    directory, practice = getattr(given, "state", None), getattr(given, "practice", None)
    if practice is not None and not re.fullmatch(r"[a-z0-9-]+", practice):
        raise BadUsage(f"There is no practice scenario {practice!r}.", "See: replug scenarios")
    return state_directory(directory, practice)


def _refuse(error: ConsoleError, state: State | None) -> None:
    told = (error.sentence, error.advice)
    complain(*(complete(text, state) if state is not None else text for text in told))


def _fault_of_the_machine(error: OSError) -> int:
    if error.filename is None:
        complain(f"The output cannot be written: {error.strerror}.")
        return ConsoleError.exit_code
    told = storage_error(error, Path(os.fsdecode(error.filename)))
    complain(told.sentence, told.advice)
    return told.exit_code


def _mistake(error: Exception, state: State | None) -> int:
    """Say that the mistake is ours; where it was made is kept for who mends it."""
    where = "".join(traceback.format_tb(error.__traceback__))
    kept = ""
    if state is not None:
        with suppress(OSError), state.log.open("a") as log:
            log.write(f"{where}{type(error).__name__}\n")  # its message could quote a secret
            kept = f" and send {state.log}"
    complain(
        f"Replug itself made a mistake ({type(error).__name__}) and stopped here.",
        f"A run that goes on is not touched by this. Report it{kept}.",
    )
    return ConsoleError.exit_code


if __name__ == "__main__":
    sys.exit(main())
