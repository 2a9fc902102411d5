"""The faults. Each one is done to real processes, and says how it saw that it really happened.

A fault returns `Happened`: when it was over (a kill is over at once), and what must have been accepted for the monitor to
have recovered: all that the topics held at that moment.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.chaos.application import APP, ORDERS
from tests.chaos.node import state
from tests.chaos.process import FAKETIME, SESSION_S, Process
from tests.chaos.rig import Rig
from tests.chaos.watching import Target

Rng = np.random.Generator


@dataclass
class Happened:
    """Attributes: proof: whether it was seen to happen. seen: how. over: monotonic time of its end. target: see above."""

    proof: bool
    seen: dict[str, Any]
    over: float
    target: Target = field(default_factory=dict)


Fault = Callable[[Rig, Rng], Happened]


def _now(rig: Rig, proof: bool, **seen: Any) -> Happened:
    return Happened(proof, seen, time.monotonic(), rig.ends())


def _back(rig: Rig, proof: bool, **seen: Any) -> Happened:
    """The broker is back. What waited in the producer meanwhile counts as its topics' content: it is there in a moment."""
    over, before = time.monotonic(), sum(end for _, end in rig.ends().values())
    rig.happens(lambda: sum(end for _, end in rig.ends().values()) > before, 10)
    rig.sleep(0.5)
    return Happened(proof, seen, over, rig.ends())


def _victim(rig: Rig, rng: Rng, judge: bool) -> Process:
    """Return a worker that owns partitions: the judge's host, or another one if there is one."""
    rig.until("somebody owns the judge", rig.judge, 40)
    host = rig.judge()
    assert host is not None
    others = [worker for worker in rig.owners() if worker is not host]
    return host if judge or not others else others[int(rng.integers(len(others)))]


def _kill(rig: Rig, rng: Rng, judge: bool) -> Happened:
    victim = _victim(rig, rng, judge)
    assert victim.process is not None
    pid, owned = victim.process.pid, victim.owns
    victim.kill()
    happened = _now(rig, state(pid) == "", worker=victim.name, owned=owned)
    rig.sleep(float(rng.uniform(0, 3)))
    victim.start()
    return happened


def kill_tap(rig: Rig, rng: Rng) -> Happened:
    """kill -9 of a worker that only taps."""
    return _kill(rig, rng, False)


def kill_judge(rig: Rig, rng: Rng) -> Happened:
    """kill -9 of the worker that hosts the judge."""
    return _kill(rig, rng, True)


def kill_all(rig: Rig, rng: Rng) -> Happened:
    """kill -9 of every worker at once."""
    pids = [worker.process.pid for worker in rig.workers if worker.process is not None]
    for worker in rig.workers:
        worker.kill()
    happened = _now(rig, all(state(pid) == "" for pid in pids), workers=len(pids))
    for worker in rig.workers:
        worker.start()
    return happened


def term(rig: Rig, rng: Rng) -> Happened:
    """SIGTERM under load."""
    victim = _victim(rig, rng, bool(rng.integers(2)))
    happened = _now(rig, False, worker=victim.name, owned=victim.owns)
    code, seconds = victim.stop()
    happened.proof = code == 0 and seconds <= 20
    happened.seen |= {"exit": code, "seconds": round(seconds, 1)}
    rig.sleep(float(rng.uniform(0, 2)))
    victim.start()
    return happened


def _zombie(rig: Rig, rng: Rng, judge: bool) -> Happened:
    """Freeze a worker for longer than the session time-out; another one must get its partitions before it wakes up."""
    victim = _victim(rig, rng, judge)
    others = {worker.name: worker.assignments for worker in rig.workers if worker is not victim}
    assert victim.process is not None
    victim.freeze()
    rig.sleep(SESSION_S + float(rng.uniform(2, 5)))
    frozen = state(victim.process.pid) == "T"
    taken = rig.happens(lambda: any(w.assignments > others.get(w.name, 1 << 30) for w in rig.workers), 6)
    victim.thaw()
    return _now(rig, frozen and taken, worker=victim.name, owned=victim.owns, frozen=frozen, taken_over=taken)


def zombie_tap(rig: Rig, rng: Rng) -> Happened:
    """A tap that stands still, loses its partitions and goes on."""
    return _zombie(rig, rng, False)


def zombie_judge(rig: Rig, rng: Rng) -> Happened:
    """A judge that stands still, loses its lease and goes on."""
    return _zombie(rig, rng, True)


def freeze_at_assignment(rig: Rig, rng: Rng) -> Happened:
    """A worker that stands still between being assigned its partitions and writing anything."""
    victim = rig.workers[int(rng.integers(len(rig.workers)))]
    if victim.running:
        victim.stop()
    victim.start()
    deadline = time.monotonic() + 30
    while "assigned: " not in victim.life and time.monotonic() < deadline:
        time.sleep(0.002)
    victim.freeze()
    owned = victim.owns
    rig.sleep(SESSION_S + float(rng.uniform(2, 4)))
    victim.thaw()
    return _now(rig, owned != (0, False), worker=victim.name, owned=owned)


def broker_kill(rig: Rig, rng: Rng) -> Happened:
    """kill -9 of the broker; it comes back on the same directory and port."""
    pid, refused = rig.node.pid, rig.proxy.seen["broker down"]
    rig.node.kill()
    gone = state(pid) == ""
    rig.sleep(float(rng.uniform(1, 5)))
    rig.node.start()
    return _back(rig, gone and rig.node.pid != pid, refused=rig.proxy.seen["broker down"] - refused)


def broker_freeze(rig: Rig, rng: Rng) -> Happened:
    """The broker stands still, with its connections open."""
    rig.node.freeze()
    rig.sleep(float(rng.uniform(8, 14)))
    frozen = state(rig.node.pid) == "T"
    rig.node.thaw()
    return _back(rig, frozen, frozen=frozen)


def _network(rig: Rig, mode: str, seconds: float, count: str) -> Happened:
    before = rig.proxy.seen[count]
    rig.proxy.set(mode)
    rig.sleep(seconds)
    rig.proxy.set("pass")
    seen = rig.proxy.seen[count] - before
    return _now(rig, seen > 0, **{count: seen, "seconds": round(seconds, 1)})


def cut(rig: Rig, rng: Rng) -> Happened:
    """Every connection of the workers is reset, and new ones are for some seconds."""
    return _network(rig, "cut", float(rng.uniform(1, 8)), "closed")


def blackhole(rig: Rig, rng: Rng) -> Happened:
    """Connections stay open and nothing passes, for longer than the session time-out."""
    return _network(rig, "blackhole", SESSION_S + float(rng.uniform(2, 8)), "held")


def slow(rig: Rig, rng: Rng) -> Happened:
    """Every frame, there and back, takes 300 ms more."""
    return _network(rig, "slow", float(rng.uniform(8, 14)), "delayed")


def flip(rig: Rig, rng: Rng) -> Happened:
    """Bytes inside record batches are flipped on their way from the broker."""
    return _network(rig, "flip", float(rng.uniform(4, 8)), "flipped")


def storm(rig: Rig, rng: Rng) -> Happened:
    """Three times a worker joins, a regular one leaves and comes back, and the guest goes: by SIGTERM or kill -9.

    The regular one must leave, because Faust's assignor gives a third worker nothing while two can hold all.
    """
    before = sum(worker.assignments for worker in rig.workers)
    took = 0
    for n in range(3):
        guest, regular = rig.join(f"guest-{len(rig.extra)}"), rig.workers[n % len(rig.workers)]
        rig.happens(functools.partial(_joined, guest), 40)
        if regular.running:
            (regular.kill if rng.integers(2) else regular.stop)()
        took += rig.happens(functools.partial(_owns, guest), 15)
        regular.start()
        rig.sleep(float(rng.uniform(0, 1.5)))
        (guest.kill if rng.integers(2) else guest.stop)()
    seen = sum(worker.assignments for worker in rig.workers) - before
    return _now(rig, seen >= 3 and took > 0, guests_that_took_over=took, rebalances=seen)


def _owns(worker: Process) -> bool:
    return worker.owns != (0, False)


def _joined(worker: Process) -> bool:
    return worker.assignments > 0


def add_partitions(rig: Rig, rng: Rng) -> Happened:
    """``orders`` gets one partition more, and records in it at once."""
    total = rig.producing.partitions + 1
    rig.admin.add_partitions(ORDERS, total)
    rig.until("the broker knows the partition", lambda: rig.admin.partitions(ORDERS) == total, 10)
    rig.producing.partitions = total
    rig.happens(lambda: (ORDERS, total - 1) in rig.ends(), 10)
    return _now(rig, (ORDERS, total - 1) in rig.ends(), partitions=total)


def recreate(rig: Rig, rng: Rng) -> Happened:
    """``orders`` is deleted and made again: its end lies below the position, or another record stands at the anchor."""
    rig.producing.hold_orders()
    try:
        before = {key: at for key, at in rig.ends().items() if key[0] == ORDERS}
        rig.admin.delete(ORDERS)
        rig.sleep(float(rng.uniform(0, 3)))
        rig.admin.create(ORDERS, rig.producing.partitions)
    finally:
        rig.producing.release_orders(recreated=True)
    rig.happens(lambda: all(rig.ends()[key][0] == rig.producing.inc for key in before), 15)
    return _now(rig, True, held={f"{key[0]}/{key[1]}": at[1] for key, at in before.items()})


def retention(rig: Rig, rng: Rng) -> Happened:
    """Unread records of ``orders`` are deleted while every worker stands still."""
    for worker in rig.workers:
        if worker.running:
            worker.freeze()
    try:
        rig.sleep(3.0)
        rig.producing.hold_orders()
        try:
            ends = {key: at[1] for key, at in rig.ends().items() if key[0] == ORDERS and at[0] == rig.producing.inc}
            before = {key[1]: max(1, end - 3) for key, end in ends.items()}
            rig.admin.delete_records(ORDERS, before)
        finally:
            rig.producing.release_orders()
        unread = {key[1]: before[key[1]] - rig.watching.fold.next.get(key, 0) for key in ends}
    finally:
        for worker in rig.workers:
            if worker.running:
                worker.thaw()
    return _now(rig, any(n > 0 for n in unread.values()), unread_and_deleted=unread)


def reset_offsets(rig: Rig, rng: Rng) -> Happened:
    """An operator sets the group's committed offsets back to 0 or forward, while no worker runs. It must change nothing."""
    for worker in rig.workers:
        if worker.running:
            worker.stop()
    rig.until("the group is empty", lambda: rig.admin.members(APP) == 0, 30)
    to = {key: int(rng.choice([0, at[1] + 50])) for key, at in rig.ends().items()}
    rig.admin.commit(APP, to)
    found = rig.admin.committed(APP)
    for worker in rig.workers:
        worker.start()
    return _now(rig, all(found.get(key) == at for key, at in to.items()), back=sum(at == 0 for at in to.values()))


def refuse_alerts(rig: Rig, rng: Rng) -> Happened:
    """The alerts topic takes no record until somebody repairs it; the judge must say so and wait (P7)."""
    topic = f"{APP}.alerts"
    rig.admin.set(topic, "max.message.bytes", "100")
    rig.producing.limit += 30

    def said() -> bool:
        return any("alerts refuses writes" in worker.get("/ready")[1] for worker in rig.workers if worker.running)

    seen = rig.happens(said, 30)
    at = rig.watching.fold.entries
    rig.sleep(float(rng.uniform(2, 6)))
    entries = rig.watching.fold.entries - at
    rig.admin.set(topic, "max.message.bytes", "1000000")
    return _now(rig, seen, said=seen, entries_meanwhile=entries)


def clock_step(rig: Rig, rng: Rng) -> Happened:
    """The workers' wall clocks jump, and jump back after a while."""
    step = int(rng.choice([-3600, -86_400, 1800]))
    rig.clock.write_text(f"{step:+d}")

    def jumped() -> bool:
        return any(abs(wall - stamp) > 0 and _off(wall, step) for wall, stamp in rig.watching.fold.walls[-5:])

    seen = rig.happens(jumped, 15)
    rig.sleep(float(rng.uniform(3, 6)))
    rig.clock.write_text("+0")
    back = rig.happens(lambda: not jumped(), 20)
    return _now(rig, seen and back, step_s=step, ticks_jumped=seen)


def _off(wall_ms: int, step_s: int) -> bool:
    return abs(wall_ms - time.time() * 1000 - step_s * 1000) < 60_000


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_tap,
        kill_judge,
        kill_all,
        term,
        zombie_tap,
        zombie_judge,
        freeze_at_assignment,
        broker_kill,
        broker_freeze,
        cut,
        blackhole,
        slow,
        flip,
        storm,
        add_partitions,
        recreate,
        retention,
        reset_offsets,
        refuse_alerts,
        clock_step,
    )
}


def schedule(seed: int) -> list[str]:
    """Return the four to six faults of a seed, each at most once; without libfaketime no clock steps."""
    rng = np.random.default_rng(seed)
    drawn = [str(name) for name in rng.permutation(list(FAULTS))[: int(rng.integers(4, 7))]]
    return [name for name in drawn if name != "clock_step" or FAKETIME.exists()]
