"""``streamgauge baseline adopt``: an older reference, or one from a file, comes into force: first the blob, then the note."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from stream.app import CLOCKS
from stream.baseline_fit import alike, armed, held, with_bins
from stream.baselines import summary
from stream.codec import digest
from stream.commands.baseline_draw import whole
from stream.commands.baseline_stored import Stored, require_name, stored
from stream.commands.showing import number, screen
from stream.commands.writing import Writer, run, writer
from stream.config.compile import compile_plan
from stream.config.errors import visible
from stream.config.settings import Settings
from stream.exits import DATA, OK, TRY_AGAIN, USAGE, Refusal
from stream.judge import Judge
from stream.judging.incidents import local_time
from stream.kafka.cluster import require
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.layout import Layout, layout_zero
from stream.ledger import adopt_header
from stream.plan import Plan

MAX_WHY = 400
SHOWN = 5

_NEXT = """\
A worker that runs goes by it within seconds, otherwise the next one that is started. It holds until the next local midnight: then
limits are learned again from the panes that were kept, as every night. What shall not teach then needs a verdict
(streamgauge verdict), or this again tomorrow."""


@dataclass(frozen=True)
class Step:
    """One thing to bring into force. what: ``layout`` or ``reference``."""

    what: str
    tree: dict[str, Any]
    parent: str | None


def adopt(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring a reference into force.

    Raises:
        Refusal: it is not there or does not fit; somebody else was faster.
    """
    if not 0 < len(arguments.why) <= MAX_WHY or not arguments.why.isprintable():
        raise Refusal(f"--why: expected 1 to {MAX_WHY} printable characters, got {len(arguments.why)}", USAGE)
    require_name(arguments.baseline)
    plan, brokers = compile_plan(settings), ",".join(settings.kafka.brokers)
    out = screen()
    for line in run(brokers, _adopt(brokers, plan, arguments.baseline, arguments.why)):
        out.print(line)
    return OK


async def _adopt(brokers: str, plan: Plan, name: str, why: str) -> list[str]:
    found = await stored(brokers, plan.app)
    called, tree, source = found.find(name)
    if called == found.current:
        return [f"{called} is in force already"]
    now = await _layout(brokers, plan, found)
    wanted = now if source is None else _with_bins_of(source, now)
    ready, other = armed(tree, wanted.sections)
    if not ready:
        raise Refusal(
            f"{visible(name)}: none of its fields has the bins that are in force: it would watch nothing", DATA
        )
    judge = found.judge
    in_force = {} if judge is None else judge.fold.in_force
    reference = held(tree, {} if judge is None else judge.reference, _today(judge, wanted.plan))
    steps = [Step("reference", reference, in_force.get("reference"))]
    if wanted.id != in_force.get("layout"):
        steps.insert(0, Step("layout", wanted.to_dict(), in_force.get("layout")))
    async with writer(brokers, plan.app) as ledger:
        await _write(brokers, plan.app, ledger, steps, why)
    return _said(called, found, reference, steps, other, ready, wanted.plan.false_alarms)


async def _layout(brokers: str, plan: Plan, found: Stored) -> Layout:
    """Return the layout in force; before the first start, what a worker would begin with."""
    if found.judge is not None and found.judge.layout is not None:
        return found.judge.layout
    return layout_zero(plan, await require(brokers, plan.topics))


def _with_bins_of(source: Layout, now: Layout) -> Layout:
    """Return the layout that a reference from a file needs.

    Raises:
        Refusal: its hashes, panes or days are other ones, or no stream is configured as it was there.
    """
    theirs, ours = source.plan, now.plan
    if theirs.hash_key_id != ours.hash_key_id and any(
        bins is not None and len(bins.known) for section in source.sections.values() for bins in section.bins
    ):
        raise Refusal(
            f"the file holds categories learned with hash key {theirs.hash_key_id}, {ours.app} has {ours.hash_key_id}: "
            "their hashes mean other values; build it again with the `hash_key` of this configuration",
            DATA,
        )
    for what, there, here in (
        ("panes of {} ms for statistics", theirs.coarse_ms, ours.coarse_ms),
        ("days of time zone {}", theirs.timezone, ours.timezone),
    ):
        if there != here:
            raise Refusal(
                f"the file was learned from {what.format(there)}, {ours.app} has {here}: build it with this configuration",
                DATA,
            )
    if not any(alike(now, source, name) for name in now.sections):
        raise Refusal(
            f"no stream of {ours.app} is configured as in the file (it has {', '.join(map(visible, source.sections))}): "
            "build it with this configuration",
            DATA,
        )
    return with_bins(now, source)


def _today(judge: Judge | None, plan: Plan) -> int:
    """Return the ordinal of the local day that the application has reached, 0 before its first pane."""
    watches = () if judge is None else judge.watches.values()
    marks = [watch.panes.watermark for watch in watches if watch.panes.watermark is not None]
    return local_time(max(marks), plan.timezone).toordinal() if marks else 0


async def _write(brokers: str, app: str, ledger: Writer, steps: list[Step], why: str) -> None:
    """Bring things into force, one after the other; each is read back."""
    producer = Producer(brokers)
    store = Store(brokers, f"{app}.state", producer)
    try:
        await producer.start()
        for step in steps:
            name = await store.put_blob(step.tree, ledger.fold.offset)
            header = adopt_header(step.what, name, step.parent) | {"why": why, "at": CLOCKS.wall_ms}
            if not await ledger.write(b"note", header):
                raise Refusal(f"another {step.what} came into force just now; look and try again", TRY_AGAIN)
    finally:
        await store.stop()
        await producer.stop()


def _said(
    called: str,
    found: Stored,
    reference: dict[str, Any],
    steps: list[Step],
    other: list[str],
    ready: list[str],
    per_week: float,
) -> list[str]:
    """Return what was done, in plain words."""
    before = f"it was {found.current}" if found.current else "there was none"
    lines = [f"{visible(called)}: in force as reference {digest(reference)}; {before}"]
    lines += [f"  {line}" for line in whole(summary(reference, {}), per_week)]
    if steps[0].what == "layout":
        lines.append("Its bins are in force too: the application had none for these streams.")
    lines.append(f"It watches {number(len(ready), 'field')}.")
    if other:
        names = ", ".join(map(visible, other[:SHOWN])) + (
            f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        )
        lines.append(f"Not watched until a night has learned them, because they have other bins now: {names}.")
    return [*lines, _NEXT]
