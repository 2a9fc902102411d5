"""``streamgauge baseline``: what is normal, as the monitor has learned it: shown, listed, compared, built, brought into force."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from stream.baseline_diff import difference
from stream.baselines import Portrait, Stream, Summary, bins_of, summary
from stream.commands import baseline_file
from stream.commands.baseline_adopt import adopt
from stream.commands.baseline_build import build
from stream.commands.baseline_page import page
from stream.commands.baseline_stored import Note, Stored, adoptions, require_name, stored
from stream.commands.baseline_text import changes, detail, overview
from stream.commands.showing import aligned, moment, screen
from stream.commands.writing import run
from stream.config.compile import compile_plan
from stream.config.errors import spoken, suggestion, visible
from stream.config.settings import Settings
from stream.exits import CANNOT_WRITE, NO_INPUT, OK, USAGE, Refusal
from stream.judging.alerts import rfc3339


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the word behind ``baseline`` says.

    Raises:
        Refusal: no such baseline, file or field; it does not fit; no broker, a missing topic or right.
    """
    return _ACTIONS[arguments.action](arguments, settings)


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    plan = compile_plan(settings)
    if Path(arguments.baseline).is_file():
        saved = baseline_file.read(Path(arguments.baseline))
        title, found = f"{spoken(arguments.baseline)}: a baseline of {saved.layout.plan.app}", saved.reference
        told = summary(found, bins_of([saved.layout]))
    else:
        require_name(arguments.baseline)
        known = _stored(settings)
        name, tree, _ = known.find(arguments.baseline)
        title = f"{settings.app}: reference {name}" + (", in force" if name == known.current else ", not in force")
        told = summary(tree, known.bins)
    if arguments.html is not None:
        _write(arguments.html, page(title, told, plan.false_alarms))
    out = screen()
    if arguments.field is not None:
        lines = [line for pair in _fields(told, arguments.field) for line in (*detail(*pair), "")][:-1]
    else:
        lines = list(overview(title, told, plan.false_alarms))
    for line in lines:
        out.print(line)
    return OK


def _fields(told: Summary, name: str) -> list[tuple[Stream, Portrait]]:
    """Return the fields of a name, in whichever stream.

    Raises:
        Refusal: there is none.
    """
    found = [pair for pair in told.fields() if name in (pair[1].name, f"{pair[0].name}/{pair[1].name}")]
    if not found:
        hint = suggestion(name, [field.name for _, field in told.fields()])
        raise Refusal(f"--field {visible(name)}: no such field in this baseline{f'; {hint}' if hint else ''}", USAGE)
    return found


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise Refusal(f"--html {spoken(name)}: cannot be written: {reason}", CANNOT_WRITE) from None


def _list(arguments: argparse.Namespace, settings: Settings) -> int:
    brokers = ",".join(settings.kafka.brokers)

    async def read() -> tuple[Stored, dict[str, Note]]:
        found = await stored(brokers, settings.app)
        return found, await adoptions(brokers, settings.app, found)

    known, notes = run(brokers, read())
    if not known.references:
        raise Refusal("no reference is stored yet: one is learned after the first day of panes", NO_INPUT)
    rows = [("address", "learned for", "status", "came into force", "why")]
    for address, tree in known.references.items():
        told, note = summary(tree, {}), notes.get(address)
        when = moment(rfc3339(note.wall_ms)) if note and note.wall_ms else "at an unknown time" if note else "-"
        current = "  <- in force" if address == known.current else ""
        why = (visible(note.why) if note else "") + current
        rows.append((address, told.day or "no day yet", told.status, when, why.strip()))
    out = screen()
    for line in aligned(rows):
        out.print(line)
    out.print("A dash: never, or before the ledger begins.")
    return OK


def _diff(arguments: argparse.Namespace, settings: Settings) -> int:
    for name in (arguments.before, arguments.after):
        require_name(name)
    if all(Path(name).is_file() for name in (arguments.before, arguments.after)):
        known = Stored(None)
    else:
        known = _stored(settings)
    found = [known.find(name) for name in (arguments.before, arguments.after)]
    before, after = (summary(tree, known.bins) for _, tree, _ in found)
    out = screen()
    out.print(f"{visible(found[0][0])} -> {visible(found[1][0])}")
    for line in changes(difference(before, after)):
        out.print(line)
    return OK


def _stored(settings: Settings) -> Stored:
    brokers = ",".join(settings.kafka.brokers)
    return run(brokers, stored(brokers, settings.app))


_ACTIONS: dict[str, Callable[[argparse.Namespace, Settings], int]] = {
    "show": _show,
    "list": _list,
    "diff": _diff,
    "adopt": adopt,
    "build": build,
}
