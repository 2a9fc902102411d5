"""``streamgauge topics``: the topics the monitor writes, the commands an operator needs, and their creation when told."""

from __future__ import annotations

import argparse
import asyncio
import shlex
from collections.abc import Iterator

from stream.commands.showing import aligned, screen
from stream.config.compile import compile_plan
from stream.config.durations import format_duration
from stream.config.settings import Settings
from stream.exits import OK
from stream.kafka.cluster import OURS, ClusterError, create_ours, describe, ours
from stream.kafka.cluster import settings as settings_of
from stream.kafka.keeping import repairs, too_little


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print our topics, create the missing ones when told, and say which of the others keep too little.

    Raises:
        Refusal: no broker answers, or a creation is refused. What to create and to grant is printed before that.
    """
    brokers = ",".join(settings.kafka.brokers)
    out = screen()
    created: list[str] = []
    found: dict[str, dict[str, str]] = {}
    refusal = None
    try:
        if arguments.create:
            created = asyncio.run(create_ours(brokers, settings.app, arguments.replication))
        # a broker that has just created a topic may not name it yet
        existing = {*created, *asyncio.run(describe(brokers, ours(settings.app)))}
        found = asyncio.run(settings_of(brokers, sorted(existing.difference(created))))
    except ClusterError as error:
        existing, refusal = set(), error
    states = {name: _state(name, existing, created, refusal) for name in ours(settings.app)}
    rows = [(f"{settings.app}.{name}", "1 partition", _kept(OURS[name])) for name in OURS]
    out.print("\n".join(aligned([*row, states[row[0]]] for row in rows)))
    if refusal is not None or not existing.issuperset(states):
        out.print("\nto create them:\n" + "\n".join(_creation(brokers, settings.app, arguments.replication)))
    wrong = list(too_little(settings.app, found))
    if wrong:
        out.print("\n" + "\n".join(f"{topic}: {said}" for topic, said in wrong))
        out.print("to mend it, for what comes from then on:")
        out.print("\n".join(_changes(brokers, settings.app, found)))
    if arguments.acls:
        topics = compile_plan(settings).topics
        out.print("\nthe rights that suffice:\n" + "\n".join(_rights(brokers, settings.app, topics, arguments.acls)))
    if refusal is not None:
        raise refusal
    return OK


def _state(name: str, existing: set[str], created: list[str], refusal: ClusterError | None) -> str:
    if refusal is not None:
        return "unknown"
    return "created" if name in created else "exists" if name in existing else "missing"


def _kept(config: dict[str, str]) -> str:
    if config["cleanup.policy"] == "compact":
        return "compacted: the newest of each key"
    return f"kept for {format_duration(int(config['retention.ms']))}"


def _creation(brokers: str, app: str, replication: int | None) -> Iterator[str]:
    for suffix, config in OURS.items():
        settings = [part for name, value in config.items() for part in ("--config", f"{name}={value}")]
        copies = ["--replication-factor", str(replication)] if replication else []
        yield _line("kafka-topics.sh", brokers, "--create", "--if-not-exists", "--topic", f"{app}.{suffix}",
                    "--partitions", "1", *copies, *settings)  # fmt: skip


def _changes(brokers: str, app: str, found: dict[str, dict[str, str]]) -> Iterator[str]:
    for topic, config in repairs(app, found):
        named = ("--entity-type", "topics", "--entity-name", topic)
        yield _line("kafka-configs.sh", brokers, "--alter", *named, "--add-config", config)


def _rights(brokers: str, app: str, topics: tuple[str, ...], principal: str) -> Iterator[str]:
    """Yield the least rights: inputs are only read, nothing but our own topics is written, nothing is created or altered."""
    add = ("--add", "--allow-principal", principal)
    for topic in topics:
        yield _line("kafka-acls.sh", brokers, *add, "--operation", "Read", "--operation", "Describe", "--topic", topic)
    yield _line("kafka-acls.sh", brokers, *add, "--operation", "Read", "--group", app)
    for topic in ours(app):
        yield _line("kafka-acls.sh", brokers, *add, "--operation", "Read", "--operation", "Write", "--topic", topic)


def _line(tool: str, brokers: str, *options: str) -> str:
    return "  " + shlex.join([tool, "--bootstrap-server", brokers, *options])
