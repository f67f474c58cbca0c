"""The command line, thin: it parses words, asks the bench or the state directory, and prints.

The rule: no command but the bare `replug` imports a screen. Exit codes: 0 done; 1 not repaired,
or a check that found a fault; 2 usage; 3 a question had no answer; 4 no such device, or
several; 5 refused by a gate; 6 left waiting; 130 stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from console import __version__, commands
from console.errors import ConsoleError
from console.report import FORMATS
from console.state import state_directory


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument(
        "--practice",
        metavar="SCENARIO",
        default=argparse.SUPPRESS,
        help="simulated hardware, with a state directory of its own",
    )
    both.add_argument(
        "--state", metavar="DIR", default=argparse.SUPPRESS, help="where journals and vault lie"
    )
    top = argparse.ArgumentParser(
        prog="replug",
        parents=[both],
        description="A field-service console: what is plugged in, what is wrong, and the repair.",
    )
    top.add_argument("--version", action="version", version=f"replug {__version__}")
    top.set_defaults(do=commands.screen)
    words = top.add_subparsers(metavar="COMMAND")
    _device_words(words, both)
    _run_words(words, both)
    _record_words(words, both)
    _bench_words(words, both)
    return top


Words = argparse._SubParsersAction  # argparse has no public name for what add_subparsers returns


def _word(
    words: Words[argparse.ArgumentParser],
    both: argparse.ArgumentParser,
    name: str,
    do: object,
    about: str,
) -> argparse.ArgumentParser:
    word = words.add_parser(name, parents=[both], help=about, description=about)
    word.set_defaults(do=do)
    return word


def _device_words(words: Words[argparse.ArgumentParser], both: argparse.ArgumentParser) -> None:
    devices = _word(words, both, "devices", commands.devices, "what is plugged in")
    devices.add_argument("--json", action="store_true", help="a list of objects")
    devices.add_argument("--watch", action="store_true", help="stay, and tell what comes and goes")
    flows = _word(words, both, "flows", commands.flows, "what can be done with a device")
    flows.add_argument("device", metavar="DEVICE", help="port path, serial, or VID:PID")
    flows.add_argument("--json", action="store_true")


def _run_words(words: Words[argparse.ArgumentParser], both: argparse.ArgumentParser) -> None:
    run = _word(words, both, "run", commands.run, "perform a flow on a device")
    run.add_argument("flow", metavar="FLOW", help="family.flow, or the bare word")
    run.add_argument(
        "device", metavar="DEVICE", nargs="?", default="", help="port path, serial, or VID:PID"
    )
    run.add_argument(
        "--not-shown",
        action="store_true",
        help="it does not appear; DEVICE, if given, is the port where it should come",
    )
    run.add_argument("--answer", metavar="ID=VALUE", action="append", default=[])
    run.add_argument("--answers", metavar="FILE.toml", help="a table [answers]; secrets by file")
    run.add_argument("--yes", action="store_true", help="answer plain confirmations with yes")
    run.add_argument("--job", metavar="ID", default="", help="the work order it belongs to")
    run.add_argument("--json", action="store_true", help="the run's events, one a line")
    run.add_argument("--detach", action="store_true", help="start it, print its id, and go")
    runs = _word(words, both, "runs", commands.runs, "every run there is")
    runs.add_argument("--json", action="store_true")
    attach = _word(words, both, "attach", commands.attach, "follow a run that goes on")
    attach.add_argument("run", metavar="RUN")
    attach.add_argument("--json", action="store_true")
    stop = _word(words, both, "stop", commands.stop, "stop a run at its next safe point")
    stop.add_argument("run", metavar="RUN")


def _record_words(words: Words[argparse.ArgumentParser], both: argparse.ArgumentParser) -> None:
    log = words.add_parser("log", help="the record of the runs", parents=[both])
    log_words = log.add_subparsers(metavar="WORD", required=True)
    _word(log_words, both, "list", commands.runs, "every run there is").add_argument(
        "--json", action="store_true"
    )
    export = _word(log_words, both, "export", commands.export, "hand over the record of a run")
    export.add_argument("run", metavar="RUN", help='its number, or "last"')
    export.add_argument("--format", choices=FORMATS, default="jsonl")
    export.add_argument("--to", metavar="FILE", help="instead of standard output")
    vault = words.add_parser("vault", help="raw backups that hold keys", parents=[both])
    vault_words = vault.add_subparsers(metavar="WORD", required=True)
    _word(vault_words, both, "list", commands.vault_list, "what lies in the vault").add_argument(
        "--json", action="store_true"
    )
    delete = _word(vault_words, both, "delete", commands.vault_delete, "delete for good")
    delete.add_argument("name", metavar="NAME", nargs="+")


def _bench_words(words: Words[argparse.ArgumentParser], both: argparse.ArgumentParser) -> None:
    bench = words.add_parser("bench", help="the bench process", parents=[both])
    bench_words = bench.add_subparsers(metavar="WORD", required=True)
    _word(bench_words, both, "status", commands.bench_status, "does one live").add_argument(
        "--json", action="store_true"
    )
    _word(bench_words, both, "stop", commands.bench_stop, "end it, if no run goes on")
    plug = _word(words, both, "plug", commands.plug, "practice: plug a simulated device in")
    plug.add_argument("port", metavar="PORT")
    pull = _word(words, both, "pull", commands.pull, "practice: pull a simulated device out")
    pull.add_argument("port", metavar="PORT")
    press = _word(words, both, "press", commands.press, "practice: use its buttons")
    press.add_argument("port", metavar="PORT")
    press.add_argument("buttons", metavar="BUTTONS", nargs="?", default="dfu")
    _word(words, both, "scenarios", commands.scenarios, "practice: the scenarios there are")


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = parser().parse_args(words)
    try:
        state = state_directory(getattr(given, "state", None), getattr(given, "practice", None))
        return int(given.do(given, state))
    except ConsoleError as error:
        print(error.sentence, file=sys.stderr)  # noqa: T201 - the command's own words
        if error.advice:
            print(error.advice, file=sys.stderr)  # noqa: T201
        return error.exit_code
    except BrokenPipeError:
        # Who read our output has gone; the run, if there is one, goes on in the bench.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 6
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
