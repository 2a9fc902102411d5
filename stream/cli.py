"""The command ``streamgauge``: how a command is called, and how anything that goes wrong becomes one line and an exit code.

Its arguments stand in `stream.arguments`, what the commands do in `stream.commands`, exit codes in `stream.exits`.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from stream import exits
from stream.arguments import DEFAULT_FILE, parse

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a file system that has no room: the operator's to mend, not ours."""


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
        _give_up_stdout()
        return exits.NO_READER
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _give_up_stdout()
            print(f"streamgauge: cannot write: {os.strerror(error.errno).lower()}", file=sys.stderr)
            return exits.CANNOT_WRITE
        traceback.print_exc()
        print("streamgauge: an error of ours; please report it with the lines above", file=sys.stderr)
        return exits.BUG
    return code


def _give_up_stdout() -> None:
    """Let what is still to be written go nowhere, or the interpreter complains when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(argv: list[str]) -> int:
    if argv[:1] == ["demo"]:  # its options are its own: argparse would take them for ours
        return _demo(argv[1:])
    try:
        arguments = parse(argv)
    except SystemExit as end:  # argparse has printed the help, or what is wrong
        return int(end.code or 0)
    if arguments.version or arguments.command == "version":
        return _version()
    return _guarded(arguments, arguments.config or arguments.file or DEFAULT_FILE)


def _guarded(arguments: argparse.Namespace, file: str) -> int:
    """Call a command. Whatever the user or the operator can mend is said in one line, without a traceback."""
    from stream.config.nearby import require_file  # noqa: PLC0415 - --help must not wait for pydantic
    from stream.config.settings import SettingsError, load  # noqa: PLC0415

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it complains of, we say in one line
    try:
        require_file(file)
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
        if "--year" in options:  # another demo: no broker, nothing broken
            options.remove("--year")
            return int(importlib.import_module("stream.demo.year").main(options))
        return int(importlib.import_module("stream.demo.run").main(options))
    except SystemExit as end:  # its parser's: 2 means a wrong command line
        return exits.USAGE if end.code == 2 else int(end.code or 0)


def _version() -> int:
    from importlib.metadata import version  # noqa: PLC0415

    print(f"streamgauge {version('streamgauge')}")
    return exits.OK


def _ensure_streams() -> None:
    """Give a process with closed outputs somewhere to write to, and let no terminal be too old for a character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - it lives as long as the process
        getattr(sys, name).reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
