"""The command line of ``streamgauge``: commands, options, their help, and hints at what was meant by a wrong one."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from stream import exits
from stream.config.durations import parse_duration

DEFAULT_FILE = "streamgauge.yaml"
YAML = (".yaml", ".yml")
MAX_MUTE_MS = 7 * 86_400_000
"""A silence that nobody remembers is worse than an alarm; and so long the judge knows what it muted."""

_DESCRIPTION = """\
Watches the Kafka topics of models in production: inputs, decisions, outcomes.

  streamgauge check  fraud.yaml            right file, right cluster? what do
                                           records look like to the monitor?
  streamgauge topics fraud.yaml --create   create the topics it writes
  streamgauge run    fraud.yaml            watch; as many as you like share the
                                           partitions
  streamgauge alerts fraud.yaml --follow   what it has found
  streamgauge explain fraud.yaml 3f2a91    what moved, and since when
  streamgauge verdict fraud.yaml 3f2a91 false-alarm --why "load test"
                                           what an incident really was
  streamgauge replay fraud.yaml --input fraud.features=day.jsonl
                                           what would it have sent?
  streamgauge reopen fraud.yaml --topic fraud.features --at end --why "test"
                                           skip records, or read them again
  streamgauge demo                         see it find seven faults
  streamgauge demo --year                  a real year, nothing broken: false
                                           alarms?
"""

_COMMANDS: dict[str, tuple[str, str, str]] = {
    "check": (
        "validate the file and the cluster, and show three records of each stream",
        """\
Records are read from the topics and their values are shown: this is your
terminal, and you can read these topics anyway. Nothing of them is stored.
With --no-values only types, times and names are shown.
""",
        "streamgauge check fraud.yaml --no-values",
    ),
    "topics": (
        "print the topics that the monitor needs, and create them when told",
        """\
Nothing is created without --create. Operators find the commands for
kafka-topics in the output, and with --acls the least rights that the monitor
needs: read its inputs, write and read its own topics, no more.
""",
        "streamgauge topics fraud.yaml --acls User:streamgauge",
    ),
    "run": (
        "watch until stopped",
        """\
Every worker of one file shares the partitions with the others, and one of
them judges. SIGTERM or Ctrl-C ends a worker in order, with 0.
""",
        "streamgauge run fraud.yaml",
    ),
    "replay": (
        "run the very same monitor over files: what would it have sent?",
        """\
A line is the value of one record, or an envelope
{"key": ..., "timestamp": ms, "headers": {...}, "value": {...}}. Without one the
configuration must say which field holds the time: time: {field: ts, unit: ms}.
Files are merged by timestamp; time is event time, so a day takes seconds.
Such a file of a topic, with keys, headers and what cannot be read; sort is for
topics with several partitions:
  kcat -C -e -b kafka:9092 -t fraud.features -J | jq -c '{timestamp: .ts, key,
    headers: ([.headers // [] | while(. != []; .[2:]) | {(.[0]): .[1]}] | add),
    value: .payload}' | sort > day.jsonl

As a gate of a pipeline: with --fail-on page it ends with 1 when a page would
have been sent, with --fail-on ticket when a ticket or a page would have been.
""",
        "streamgauge replay fraud.yaml --input fraud.features=day.jsonl --fail-on page",
    ),
    "alerts": (
        "print what the monitor has found",
        """\
Every event on a line, oldest first: when it was detected, what became of the
alert, how severe it is, and its summary.
""",
        "streamgauge alerts fraud.yaml --state",
    ),
    "explain": (
        "draw one incident: the values since it began against the reference",
        """\
INCIDENT is the id or the fingerprint of an alert, or at least 6 characters of
its beginning (streamgauge alerts FILE --state). What is drawn comes from the
panes that the monitor keeps: when it began, which values became more or less
frequent, and how far it is from what is usual at that time of the week.
""",
        "streamgauge explain fraud.yaml 3f2a91 --html incident.html",
    ),
    "verdict": (
        "say what an incident is: an incident, the new normal, a false alarm, or mute",
        """\
INCIDENT is the id or the fingerprint of an alert, or at least 6 characters of
its beginning (streamgauge alerts FILE --state). The verdict is a record in the
ledger; it stands on the topic of alerts with your name and your reason.

incident     it is one: a page goes on as a ticket until it is over, and what
             is counted while it lasts teaches nothing
new-normal   it is resolved; only what came after its onset teaches
false-alarm  it is resolved
mute         it is resolved, and nothing is said of what it found for so long

A rule that still holds opens an incident again, at once or after the mute.
""",
        'streamgauge verdict fraud.yaml 3f2a91 mute --for 2d --why "fix on Monday"',
    ),
    "baseline": (
        "what is normal: show it, list, compare, build and adopt references",
        """\
A baseline is a reference: what the values of each field look like, their usual
course of a day, and the limits from which drift alarms. Every night a new one
is learned. NAME is `current`, the beginning of an address (baseline list), or
a file that `build` wrote. The configuration file stands right behind ACTION, or
behind -c.
""",
        "streamgauge baseline show fraud.yaml --field amount",
    ),
    "reopen": (
        "move the monitor to another position of a topic",
        """\
For an operator, when the monitor should skip records or read them again.
Resetting the offsets of the consumer group changes nothing: the ledger says
where reading goes on, and this writes a record into it. Workers that run go
there within seconds. An alert tells who looks at the models, with the reason.

Forward: what is skipped is counted as lost.
Back: what is read again does not count twice. The open panes of the streams
of this topic close as partial; panes that are closed do not change, records
for them count as after_close. Judging waits until what was read is reached.
""",
        "streamgauge reopen fraud.yaml --topic fraud.features --at end --why test",
    ),
    "demo": ("real flights, a broker of its own, seven faults: see what it finds", "", "streamgauge demo --seed 2"),
    "version": ("print the version", "", "streamgauge version"),
}
"""Of each command: what it does, what to know of it, an example."""


class Parser(argparse.ArgumentParser):
    """argparse ends with 2 over a wrong command line; ours is the code of ``sysexits.h``."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(exits.USAGE, f"{self.prog}: {message}\n")


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line, and that of each command."""
    shape = argparse.RawDescriptionHelpFormatter
    epilog = f"exit codes:\n{exits.table()}"
    root = Parser("streamgauge", description=_DESCRIPTION, epilog=epilog, formatter_class=shape, allow_abbrev=False)
    root.add_argument("--version", action="store_true", help="print the version")
    commands = root.add_subparsers(dest="command", title="commands", metavar="COMMAND", parser_class=Parser)
    by_name: dict[str, Parser] = {}
    for name, (does, more, example) in _COMMANDS.items():
        sub = by_name[name] = commands.add_parser(
            name,
            help=does,
            description=f"{does[0].upper()}{does[1:]}{'' if does.endswith('?') else '.'}\n\n{more}".rstrip(),
            epilog=f"example:\n  {example}",
            formatter_class=shape,
            allow_abbrev=False,
        )
        if name not in ("demo", "version", "baseline"):
            sub.add_argument("file", nargs="?", metavar="FILE", help=f"configuration file (default: {DEFAULT_FILE})")
            sub.add_argument("-c", "--config", metavar="FILE", help="the same, as an option")
    _options(by_name)
    return root, by_name


def _options(by_name: dict[str, Parser]) -> None:
    check = by_name["check"]
    check.add_argument("--offline", action="store_true", help="validate the file only")
    check.add_argument("--no-values", action="store_true", help="show types and times, but no value of a record")

    topics = by_name["topics"]
    topics.add_argument("--create", action="store_true", help="create the missing ones")
    topics.add_argument(
        "--replication", type=_count, metavar="N", help="copies of each (default: one per broker, at most 3)"
    )
    topics.add_argument(
        "--acls", type=_principal, metavar="PRINCIPAL", help="print the rights to grant, such as User:streamgauge"
    )

    for name in ("--session-timeout", "--rebalance-timeout"):
        by_name["run"].add_argument(name, type=float, metavar="SECONDS", help=argparse.SUPPRESS)

    replay = by_name["replay"]
    replay.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="TOPIC=FILE",
        help="a file of records: one JSON on a line, or Parquet",
    )
    replay.add_argument(
        "--alerts", metavar="FILE", help="write every alert event here, one JSON on a line; - for stdout"
    )
    replay.add_argument(
        "--fail-on", choices=("page", "ticket"), help="end with 1 if an alert that severe would be sent"
    )
    replay.add_argument("--quiet", action="store_true", help="no progress, no table")

    reopen = by_name["reopen"]
    reopen.add_argument("--topic", required=True, metavar="TOPIC", help="an input of the configuration")
    reopen.add_argument("--partition", type=_number, metavar="N", help="one partition only (default: all)")
    reopen.add_argument("--at", type=_place, required=True, metavar="PLACE", help="earliest, end, or an offset")
    reopen.add_argument("--why", required=True, metavar="TEXT", help="the reason; it stands in the alert")

    explain = by_name["explain"]
    explain.add_argument("incident", metavar="INCIDENT", help="its id or fingerprint, or 6 characters of it or more")
    explain.add_argument("--html", metavar="FILE", help="write a page as well")

    verdict = by_name["verdict"]
    verdict.add_argument("incident", metavar="INCIDENT", help="its id or fingerprint, or 6 characters of it or more")
    verdict.add_argument("verdict", choices=("incident", "new-normal", "false-alarm", "mute"), help="what it is")
    verdict.add_argument("--for", dest="duration", type=_duration, metavar="TIME", help="how long to mute, up to 7d")
    verdict.add_argument("--why", required=True, metavar="TEXT", help="the reason; it stands in the alert")

    _baseline(by_name["baseline"])

    alerts = by_name["alerts"]
    alerts.add_argument("--json", action="store_true", help="one JSON object on a line, as replay --alerts writes it")
    which = alerts.add_mutually_exclusive_group()
    which.add_argument("--follow", action="store_true", help="go on printing until interrupted")
    which.add_argument("--state", action="store_true", help="the newest state of each alert as a page, not every event")


def _baseline(parser: Parser) -> None:
    """Give ``baseline`` its actions; each takes the configuration file as an option: `_file_of_baseline` makes it one."""
    actions = parser.add_subparsers(
        dest="action", required=True, title="actions", metavar="ACTION", parser_class=Parser
    )
    show = actions.add_parser("show", help="draw what is normal, by stream and field")
    show.add_argument("baseline", nargs="?", default="current", metavar="NAME", help="which (default: current)")
    show.add_argument("--field", metavar="FIELD", help="one field in detail: its name, or STREAM/FIELD")
    show.add_argument("--html", metavar="FILE", help="write a page with all of it as well")
    actions.add_parser("list", help="the stored references: which one is in force, and since when")
    diff = actions.add_parser("diff", help="which fields, shares and limits are other ones")
    diff.add_argument("before", metavar="NAME", help="an address, a file, or current")
    diff.add_argument("after", nargs="?", default="current", metavar="NAME", help="the other (default: current)")
    adopt = actions.add_parser("adopt", help="bring a stored reference, or one from a file, into force")
    adopt.add_argument("baseline", metavar="NAME", help="an address or a file")
    adopt.add_argument("--why", required=True, metavar="TEXT", help="the reason; it stands in the ledger")
    build = actions.add_parser("build", help="learn one now: from the panes that were kept, or from files of records")
    build.add_argument("--input", action="append", metavar="TOPIC=FILE", help="a file of records, as for replay")
    build.add_argument("--output", default="baseline.sgb", metavar="FILE", help="where to (default: baseline.sgb)")
    for sub in actions.choices.values():
        sub.add_argument(
            "-c",
            "--config",
            metavar="FILE",
            help=f"configuration file (default: {DEFAULT_FILE}); it may stand right behind the action",
        )
    parser.set_defaults(file=None)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments after the name of the program, as attributes; ``command`` names the command.

    Raises:
        SystemExit: help was asked for and printed, or they are wrong, which was said with a hint where there is one.
    """
    root, by_name = parsers()
    argv = _file_of_baseline(argv)
    word = next((word for word in argv if not word.startswith("-")), None)
    if word is not None and word not in by_name:
        root.error(f"there is no command {word!r}; {_command_hint(word)}")
    arguments, unknown = root.parse_known_args(argv)
    if unknown:
        parser = by_name.get(arguments.command, root)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_option_hint(unknown[0], parser)}")
    if arguments.command in by_name and getattr(arguments, "file", None) and arguments.config:
        by_name[arguments.command].error(f"two configuration files: {arguments.file} and {arguments.config}")
    lone = getattr(arguments, "incident", None)
    if lone and not arguments.file and (lone.endswith(YAML) or os.path.isfile(lone)):
        by_name[arguments.command].error(
            f"INCIDENT is missing: {lone} is a file; its incidents: streamgauge alerts {arguments.config or lone} --state"
        )
    if arguments.command is None and not arguments.version:
        root.print_help()
        root.exit(exits.USAGE)
    return arguments


def _file_of_baseline(argv: Sequence[str]) -> Sequence[str]:
    """Let ``baseline`` take the configuration file right behind its action too, as the other commands take it.

    >>> _file_of_baseline(["baseline", "show", "fraud.yaml", "current"])
    ['baseline', 'show', '-c', 'fraud.yaml', 'current']
    """
    if argv[:1] == ["baseline"] and len(argv) > 2 and argv[2].endswith(YAML):
        if any(word in ("-c", "--config") or word.startswith("--config=") for word in argv[3:]):
            parsers()[1]["baseline"].error(f"two configuration files: {argv[2]}, and the one of -c")
        return [*argv[:2], "-c", *argv[2:]]
    return argv


def _command_hint(word: str) -> str:
    from stream.config.errors import suggestion  # noqa: PLC0415 - --help must not wait for pydantic

    if os.path.isfile(word):
        return f"did you mean: streamgauge check {word}"
    return suggestion(word, _COMMANDS) or f"the commands are {', '.join(_COMMANDS)}"


def _option_hint(word: str, parser: Parser) -> str:
    from stream.config.errors import suggestion  # noqa: PLC0415

    hint = suggestion(word.partition("=")[0], re.findall(r"--[a-z-]+", parser.format_help())) if word[:1] == "-" else ""
    return f"; {hint}" if hint else ""


def _count(text: str) -> int:
    if not re.fullmatch("[1-9]", text):
        raise argparse.ArgumentTypeError(f"expected 1 to 9, got {text}")
    return int(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise argparse.ArgumentTypeError(f"expected the number of a partition, got {text}")
    return int(text)


def _duration(text: str) -> int:
    try:
        found = parse_duration(text)
    except ValueError:
        found = 0
    if not 0 < found <= MAX_MUTE_MS:
        raise argparse.ArgumentTypeError(f"expected a time such as 90m, 8h or 2d, at most 7d, got {text}")
    return found


def _place(text: str) -> str:
    if text not in ("earliest", "end") and not re.fullmatch(r"\d{1,18}", text):
        raise argparse.ArgumentTypeError(f"expected earliest, end or an offset, got {text}")
    return text


def _principal(text: str) -> str:
    if not re.fullmatch(r"\w+:.+", text):
        raise argparse.ArgumentTypeError(f"expected a type and a name, such as User:streamgauge, got {text}")
    return text
