"""The command ``streamgauge``: its arguments, and how anything that goes wrong becomes one line and an exit code.

What the commands do stands in `stream.commands`, one module each. Exit codes are listed in `stream.exits`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from stream import exits

DEFAULT_FILE = "streamgauge.yaml"

_DESCRIPTION = """\
Watches the Kafka topics of models in production: the inputs, the decisions, and what came true.

  streamgauge check  fraud.yaml            is the file right, is the cluster right, what do records look like to us
  streamgauge topics fraud.yaml --create   create the topics that the monitor writes
  streamgauge run    fraud.yaml            watch; start as many as you like, they share the partitions
  streamgauge alerts fraud.yaml --follow   what it has found
"""


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 over a wrong command line; ours is the code of ``sysexits.h``."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(exits.USAGE, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    shape = argparse.RawDescriptionHelpFormatter
    epilog = f"exit codes:\n{exits.table()}"
    root = Parser("streamgauge", description=_DESCRIPTION, epilog=epilog, formatter_class=shape, allow_abbrev=False)
    root.add_argument("--version", action="store_true", help="print the version")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)

    def add(name: str, text: str, more: str = "") -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}.{more}"
        sub = commands.add_parser(name, help=text, description=description, formatter_class=shape, allow_abbrev=False)
        if name not in ("demo", "version"):
            sub.add_argument("file", nargs="?", metavar="FILE", help=f"configuration file (default: {DEFAULT_FILE})")
            sub.add_argument("-c", "--config", metavar="FILE", help="the same, as an option")
        return sub

    check = add("check", "validate the file and the cluster, and show three records of each stream", _CHECK)
    check.add_argument("--offline", action="store_true", help="validate the file only")
    check.add_argument("--no-values", action="store_true", help="show types and times, but no value of a record")

    topics = add("topics", "print the topics that the monitor needs, and create them when told", _TOPICS)
    topics.add_argument("--create", action="store_true", help="create the missing ones")
    topics.add_argument(
        "--replication", type=_count, metavar="N", help="copies of each (default: one per broker, at most 3)"
    )
    topics.add_argument("--acls", metavar="PRINCIPAL", help="print the rights to grant, such as User:streamgauge")

    run = add("run", "watch until stopped", _RUN)
    for name in ("--session-timeout", "--rebalance-timeout"):
        run.add_argument(name, type=float, metavar="SECONDS", help=argparse.SUPPRESS)

    replay = add("replay", "run the very same monitor over files: what would it have sent?", _REPLAY)
    replay.add_argument(
        "--input", action="append", required=True, metavar="TOPIC=FILE", help="a file of records, one JSON on a line"
    )
    replay.add_argument(
        "--alerts", metavar="FILE", help="write every alert event here, one JSON on a line; - for stdout"
    )
    replay.add_argument("--quiet", action="store_true", help="no progress, no table")

    alerts = add("alerts", "print what the monitor has found")
    alerts.add_argument("--json", action="store_true", help="one JSON object on a line, as replay --alerts writes it")
    which = alerts.add_mutually_exclusive_group()
    which.add_argument("--follow", action="store_true", help="go on printing until interrupted")
    which.add_argument("--state", action="store_true", help="the newest state of each alert as a page, not every event")

    add("demo", "real flights, a broker of its own, seven faults: see what it finds").add_argument(
        "options", nargs=argparse.REMAINDER, help="see: streamgauge demo --help"
    )
    add("version", "print the version")
    return root


_CHECK = """

Records are read from the topics and their values are shown: this is your terminal, and you can read these topics anyway.
Nothing of them is stored. With --no-values only types, times and names are shown.
"""
_TOPICS = """

Nothing is created without --create. Operators find the commands for kafka-topics in the output, and with --acls the least
rights that the monitor needs: read its inputs, write and read its own topics, no more.
"""
_RUN = """

Every worker of one file shares the partitions with the others, and one of them judges. SIGTERM ends a worker in order.
"""
_REPLAY = """

A line is the value of one record, or an envelope {"key": ..., "timestamp": ms, "headers": {...}, "value": {...}}.
Files are merged by timestamp; time is event time, so a day takes seconds.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        argv: the arguments after the name of the program; those of the process by default.
    """
    _ensure_streams()
    try:
        code = _main(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains when it ends
        return exits.NO_READER
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception:
        traceback.print_exc()
        print("streamgauge: an error of ours; please report it with the lines above", file=sys.stderr)
        return exits.BUG
    return code


def _main(argv: list[str]) -> int:
    if argv[:1] == ["demo"]:  # its options are its own: argparse would take them for ours
        return _demo(argv[1:])
    arguments = parser().parse_args(argv)
    if arguments.version or arguments.command == "version":
        return _version()
    if arguments.command is None:
        parser().print_help()
        return exits.USAGE
    return _guarded(arguments, _file(arguments))


def _guarded(arguments: argparse.Namespace, file: str) -> int:
    """Call a command. Whatever the user or the operator can mend is said in one line, without a traceback."""
    from stream.config.settings import SettingsError, load  # noqa: PLC0415 - --help must not wait for pydantic

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of, we say in one line
    try:
        if not os.path.exists(file):
            raise exits.Refusal(f"{file}: no such configuration file", exits.NO_INPUT)
        settings = load(file)
        command: Any = importlib.import_module(f"stream.commands.{arguments.command}").command
        return int(command(arguments, settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return exits.CONFIGURATION
    except exits.Refusal as refusal:
        print(f"streamgauge {arguments.command}: {refusal}", file=sys.stderr)
        return refusal.code


def _demo(options: list[str]) -> int:
    try:
        return int(importlib.import_module("stream.demo.run").main(options))
    except SystemExit as end:  # its parser's: 2 means a wrong command line
        return exits.USAGE if end.code == 2 else int(end.code or 0)


def _version() -> int:
    from importlib.metadata import version  # noqa: PLC0415

    print(f"streamgauge {version('streamgauge')}")
    return exits.OK


def _file(arguments: argparse.Namespace) -> str:
    """Return the configuration file, which may be given in two ways.

    Raises:
        SystemExit: in both, and they differ.
    """
    if arguments.file and arguments.config and arguments.file != arguments.config:
        parser().error(f"two configuration files: {arguments.file} and {arguments.config}")
    return str(arguments.config or arguments.file or DEFAULT_FILE)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 9:
        raise argparse.ArgumentTypeError(f"expected 1 to 9, got {number}")
    return number


def _ensure_streams() -> None:
    """Give a process with closed outputs somewhere to write to, and let no terminal be too old for a character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - it lives as long as the process
        getattr(sys, name).reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
