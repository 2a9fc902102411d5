"""What must be true when the dust has settled. Nothing here uses the protocol's classes except to fold what is judged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any

from stream.ledger import Fold, Frontier, Key
from tests.model.judge import JudgeHost, ToyJudge
from tests.model.tap import STREAM, Tap, Worker
from tests.model.world import PANE, Input, World, advance


def settle(world: World) -> None:
    """Let the faults stop: everything arrives, everyone wakes, each partition has one owner, and a new host takes over.

    The taps that are left go on with what they hold, so that a stall shows; the judge starts from what is stored, so that
    a loss shows.
    """
    world.say("--- the faults stop")
    for log in (world.ledger, *world.topics.values()):
        while log.limbo:
            log.arrive(0)
    for worker in world.workers:
        worker.frozen = False
    if not world.workers:
        world.workers.append(Worker(world))
    for key in world.inputs:
        owners = [worker for worker in world.workers if key in worker.taps] or [world.workers[0]]
        owners[0].assign(key)
        for other in owners[1:]:
            del other.taps[key]
    heir = JudgeHost(world, clock=0)
    for tap in [tap for worker in world.workers for tap in worker.taps.values()]:
        _finish_reading(tap)
    for host in (*world.hosts, heir):
        _tick_on(world, host)
    world.hosts = [heir]
    finish_judging(heir)


def _finish_reading(tap: Tap) -> None:
    """A tap gets there within a number of steps that depends on what is unread alone: no stall."""
    world, part = tap.world, tap.world.inputs[tap.key]
    bound = 40 + 5 * part.end
    for _ in range(bound):
        position = world.truth().fold.positions.get(tap.key)
        done = position is not None and (position.next, position.end) == (part.end, part.end)
        if done and tap.state == "reading" and (tap.at, tap.life) == (part.end, part.life):
            return
        tap.step(3, "delivered")
    raise AssertionError(f"{tap.key}: not at its end after {bound} steps without a fault")


def _tick_on(world: World, host: JudgeHost) -> None:
    host.read_tail()
    for _ in range(3):
        before = world.truth().fold.time_ms
        world.now += 1_000
        if host.tick is None:
            host.make_tick()
        host.send_tick("delivered")
        host.read_tail()
    assert world.truth().fold.time_ms - before >= 1_000, "ledger time stands still"


def finish_judging(host: JudgeHost) -> None:
    """A host folds the ledger to its end, across a gap if there is one, and publishes all that follows."""
    while host.crossing or host.lanes["publish"].step or host.judge.fold.offset < len(host.world.ledger.records):
        if host.lanes["publish"].step:
            host.step("publish", "delivered")
        elif host.crossing and host.lanes["store"].step:
            host.step("store", "delivered")
        else:
            host.read_tail()
            host.fold(5)


def check(world: World) -> None:
    """Check every promise; raise AssertionError naming the one that was broken."""
    fold = world.truth().fold
    seen: Counter[int] = Counter()
    for key, part in world.inputs.items():
        seen += _check_partition(world, key, part)
    repeated = [item for item, times in seen.items() if times > 1]
    assert not repeated, f"records {repeated} are in more than one accepted entry"
    _check_folding(world, fold.snapshot())
    assert world.has_blob(fold.in_force["layout"]), f"{fold.in_force['layout']} is in force and not stored"
    _check_outputs(world)
    check_time(world)


def check_time(world: World) -> None:
    """Ledger time never runs ahead of real time. To be checked whenever a tick arrives: real time would catch up."""
    time = world.truth().fold.time_ms
    assert time <= world.now, f"ledger time {time} ms runs ahead of real time {world.now} ms"


def _accepted(world: World, key: Key) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    fold = world.protocol.fold()
    records: list[tuple[dict[str, Any], dict[str, Any]]] = []
    before = []
    for offset, (header, body) in enumerate(world.ledger.records):
        before.append(list(records))
        if not fold.apply(offset, header):
            continue
        if header["kind"] != "note" and (header.get("topic"), header.get("partition")) == key:
            records.append((header, body))
        elif header.get("note") == "judge_gap" and header["fold"] is not None:
            records = list(before[header["line"]])
    return records


def _check_partition(world: World, key: Key, part: Input) -> Counter[int]:
    """Accounting of one partition; return how often each record was counted in all its incarnations."""
    seen: Counter[int] = Counter()
    covered: set[int] = set()
    first = at = 0
    incarnation = -1
    frontier: Frontier = (None, None)
    for header, body in _accepted(world, key):
        if header["kind"] == "open":
            assert header["inc"] == incarnation + 1, f"{key}: incarnation {header['inc']} follows {incarnation}"
            if "why" in header:
                seen -= Counter(record.id for record in part.lives[body["life"]][header["to"] :])
            incarnation, at = header["inc"], header["to"]
            first = at if "why" in header or (incarnation == 0 and body["life"] == part.life) else 0
            covered, frontier = set(), (None, None)
            continue
        start, stop = header["from"], header["to"]
        assert (header["inc"], start) == (incarnation, at), f"{key}: an entry from {start} was accepted at {at}"
        at = stop
        life = part.lives[body["life"]]
        if body["lost"]:
            assert body["lost"] == stop - start, f"{key}: [{start}, {stop}) says {body['lost']} lost"
            assert stop <= part.begins[body["life"]], f"{key}: [{start}, {stop}) was not lost"
            counted = []
        else:
            counted = life[start:stop]
        assert body["ids"] == [record.id for record in counted], f"{key}: [{start}, {stop}) holds other records"
        assert body["panes"] == Counter(record.time // PANE for record in counted), f"{key}: panes of [{start}, {stop})"
        seen.update(body["ids"])
        for record in counted:
            frontier = advance(frontier, record.time)
        folded = header["frontier"].get(STREAM, [None, None])
        assert folded == list(frontier), f"{key}: frontier {folded} at {stop}, the log says {list(frontier)}"
        if body["life"] == part.life:
            covered |= set(range(start, stop))
    missing = set(range(first, part.end)) - covered
    assert not missing, f"{key}: offsets {sorted(missing)} are in no accepted entry of incarnation {incarnation}"
    position = world.truth().fold.positions[key]
    assert position.frontier.get(STREAM, (None, None)) == frontier, f"{key}: frontier in the fold"
    return seen


def _check_folding(world: World, expected: dict[str, Any]) -> None:
    """Folding again, and with a restart before any record, gives the same state."""
    again: Fold = world.protocol.fold()
    for offset, (header, _) in enumerate(world.ledger.records):
        again = world.protocol.fold.restore(json.loads(json.dumps(again.snapshot())))
        again.apply(max(offset - 1, 0), world.ledger.records[max(offset - 1, 0)][0])
        again.apply(offset, header)
    assert again.snapshot() == expected, "a fold with restarts differs"
    for worker in world.workers:
        worker.read_ledger()
        assert worker.fold.snapshot() == expected, f"{worker.name} folded something else"


def _check_outputs(world: World) -> None:
    """Every alert and pane of an undisturbed fold is out, none invented, repeated only with the same content."""
    expected, gone = _expected(world)
    for topic, messages in expected.items():
        published: dict[bytes, set[bytes | None]] = defaultdict(set)
        for message in world.topics[topic].records:
            published[message.key].add(message.value)
        lost = sorted(key.decode() for key in messages.keys() - published.keys())
        assert not lost, f"{topic}: {lost} were never published"
        invented = sorted(key.decode() for key in published.keys() - messages.keys() - gone[topic].keys())
        assert not invented, f"{topic}: {invented} were invented"
        for key, values in published.items():
            known = messages.get(key, set()) | gone[topic].get(key, set())
            assert values <= known, f"{topic}: a repetition of {key!r} has another content"


Outputs = dict[str, dict[bytes, set[bytes | None]]]


def _expected(world: World) -> tuple[Outputs, Outputs]:
    """Return what must have been published, and what may have been by a host that was gone when a gap was crossed behind it.

    A gap is crossed from the newest checkpoint there was (`World.crossings`); what followed from the ledger in between is not
    judged a second time.
    """
    expected: Outputs = {"alerts": defaultdict(set), "panes": defaultdict(set)}
    gone: Outputs = {"alerts": defaultdict(set), "panes": defaultdict(set)}
    judge, states = ToyJudge(world.protocol.fold()), []
    said: list[Any] = []
    for offset, (header, body) in enumerate(world.ledger.records):
        states.append((judge.state(), len(said)))
        crossed_from = world.crossings.get(offset)
        if crossed_from is not None:
            fold = judge.fold
            data, count = states[crossed_from]
            judge = ToyJudge.restore(data, world.protocol.fold)
            judge.lose(fold)
            for message in said[count:]:
                gone[message.topic][message.key].add(message.value)
            del said[count:]
        said += judge.apply(offset, header, body)
    for message in said:
        expected[message.topic][message.key].add(message.value)
    return expected, gone
