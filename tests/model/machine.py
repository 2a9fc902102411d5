"""The Hypothesis state machine: every rule is one step of one process, one fault, or one turn of the world.

Numbers named ``pick`` choose among what is there. When a run fails, the history of named steps is printed with it. Faults
of one kind share a rule, so that most steps are work: a world in which everything breaks before it has begun tells little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from stream.ledger import Key
from stream.publishing import newest_fold
from tests.model import promises
from tests.model.judge import JudgeHost
from tests.model.tap import Tap, Worker
from tests.model.variants import PROTOCOL, Protocol
from tests.model.world import FATES, PANE, Input, World

Item = TypeVar("Item")

fates = st.sampled_from((*["delivered"] * len(FATES), *FATES[1:]))
picks = st.integers(0, 5)
counts = st.integers(1, 4)

MAX_WORKERS = 3
MAX_HOSTS = 3
MAX_PARTITIONS = 3


def choose(items: Sequence[Item], pick: int) -> Item:
    return items[pick % len(items)]


class LedgerMachine(RuleBasedStateMachine):
    """One run. `examples` counts the runs of the class that Hypothesis has started."""

    protocol: Protocol = PROTOCOL
    examples = 0
    world: World

    def __init__(self) -> None:
        super().__init__()
        type(self).examples += 1

    @initialize(earliest=st.booleans(), produced=st.integers(0, 4), steps=st.integers(0, 8), rivals=st.booleans())
    def begin(self, earliest: bool, produced: int, steps: int, rivals: bool) -> None:
        """One worker and one host, or two of each that both believe in their lease; the taps have done some steps."""
        self.world = World(self.protocol, earliest)
        for key in self.world.inputs:
            self.world.produce(key, [PANE] * produced)
        for _ in range(1 + rivals):
            worker = Worker(self.world)
            self.world.workers.append(worker)
            for key in self.world.inputs:
                worker.assign(key)
            self.world.hosts.append(JudgeHost(self.world, clock=0))
        for tap in self._taps():
            for _ in range(steps):
                tap.step(2, "delivered")

    # The inputs.

    def _key(self, pick: int) -> Key:
        return choose(sorted(self.world.inputs), pick)

    @rule(pick=picks, steps=st.lists(st.integers(-6, 30), min_size=1, max_size=5))
    def produce(self, pick: int, steps: list[int]) -> None:
        self.world.produce(self._key(pick), steps)

    @rule(
        what=st.sampled_from(
            ["retention", "recreated", "partition added", "offsets reset", "moved", "a week passes", "ledger cut"]
        ),
        pick=picks,
        count=st.integers(0, 12),
        fate=fates,
    )
    def topics_change(self, what: str, pick: int, count: int, fate: str) -> None:
        key = self._key(pick)
        if what == "retention":
            self.world.retain(key, 1 + count // 3)
        elif what == "recreated":
            self.world.recreate(key, count)
        elif what == "offsets reset":
            self.world.reset_offsets(key, count)
        elif what == "moved":
            self.world.move(key, count, fate)
        elif what == "a week passes":
            self._week(pick)
        elif what == "ledger cut":
            self._cut(count // 3, ("nobody", "the workers", "all but the judge")[pick % 3])
        elif len(self.world.inputs) < MAX_PARTITIONS:
            key = ("t", len(self.world.inputs))
            self.world.inputs[key] = Input()
            self.world.produce(key, [1] * count)
            for worker in self._awake()[:1]:
                worker.assign(key)

    def _week(self, pick: int) -> None:
        """Who stood still is out of it, what was delayed has arrived, the others have read on; the ledger loses what is old.

        What a host is about to send to ``state`` may still be under way.
        """
        world = self.world
        world.workers, world.hosts = self._awake(), self._hosts()
        if not world.hosts or any(host.crossing for host in world.hosts) or any(w.fold.lost for w in world.workers):
            return
        for log in (world.ledger, *world.topics.values()):
            while log.limbo:
                log.arrive(0)
        for worker in world.workers:
            worker.read_ledger()
        for host in world.hosts:
            host.read_tail()
            promises.finish_judging(host)
            host.store_positions("delivered")
        judge = choose(world.hosts, pick)
        if judge.may_checkpoint:
            judge.checkpoint()
            judge.step("store", "delivered")
            world.retain_ledger()

    def _cut(self, keep: int, alive: str) -> None:
        """The ledger is cut. The monitor was down for longer than it is kept; or its host; or only its judge could not go on.

        In the last case the host has gone on storing positions.
        """
        for worker in self._awake() if alive != "nobody" else []:
            worker.read_ledger()
        for host in self._hosts()[:1] if alive == "all but the judge" else []:
            host.read_tail()
            host.store_positions("delivered")
        stored = newest_fold(self.world.state())
        if stored is None or "layout" not in stored["in_force"]:
            return  # a host of the judge takes over only under a layout
        self.world.cut_ledger(keep)
        self.world.hosts.append(JudgeHost(self.world, clock=0))
        if len(self.world.workers) < MAX_WORKERS:
            self.world.workers.append(Worker(self.world))
        for key in self.world.inputs:
            choose(self.world.workers, keep).assign(key)

    # The taps.

    def _awake(self) -> list[Worker]:
        return [worker for worker in self.world.workers if not worker.frozen]

    def _taps(self) -> list[Tap]:
        return [tap for worker in self._awake() for tap in worker.taps.values()]

    def _reading(self) -> list[Tap]:
        return [tap for tap in self._taps() if tap.reading]

    @precondition(lambda self: self._taps())
    @rule(pick=picks, count=counts, fate=fates)
    def tap_step(self, pick: int, count: int, fate: str) -> None:
        choose(self._taps(), pick).step(count, fate)

    @precondition(lambda self: self._taps())
    @rule(pick=picks, count=counts, steps=st.integers(2, 8), fate=fates)
    def tap_steps(self, pick: int, count: int, steps: int, fate: str) -> None:
        """A tap gets some way, and all it sends meanwhile meets the same fate."""
        tap = choose(self._taps(), pick)
        for _ in range(steps):
            tap.step(count, fate)

    @precondition(lambda self: self._reading())
    @rule(pick=picks, count=counts, shift=st.sampled_from([0, -1, -2, 1, 2]), cut=st.booleans())
    def chunk_arrives(self, pick: int, count: int, shift: int, cut: bool) -> None:
        """A chunk arrives at any time, perhaps one that was fetched before a seek; the tap may cut behind it."""
        tap = choose(self._reading(), pick)
        tap.fetch(count, shift)
        if cut and tap.state == "reading":
            tap.cut()

    @precondition(lambda self: self._unsuspecting())
    @rule(pick=picks)
    def end_offset_zero(self, pick: int) -> None:
        choose(self._unsuspecting(), pick).look(spurious=True)

    def _unsuspecting(self) -> list[Tap]:
        return [tap for tap in self._taps() if tap.state == "folded" and tap.suspect is None]

    @precondition(lambda self: self._awake())
    @rule(pick=picks, commit=st.booleans())
    def read_back(self, pick: int, commit: bool) -> None:
        worker = choose(self._awake(), pick)
        worker.read_ledger()
        if commit:
            worker.commit()

    @precondition(lambda self: self._awake())
    @rule(pick=picks, worker=picks, overlap=st.booleans())
    def rebalance(self, pick: int, worker: int, overlap: bool) -> None:
        """The group gives a partition to a worker. A frozen owner does not hear of it; with ``overlap`` nobody does yet."""
        key, chosen = self._key(pick), choose(self._awake(), worker)
        for other in self._awake():
            if other is not chosen and not overlap:
                other.taps.pop(key, None)
        chosen.assign(key)

    @rule(what=st.sampled_from(["start", "kill", "freeze", "thaw"]), pick=picks)
    def worker_fault(self, what: str, pick: int) -> None:
        workers = self.world.workers
        if what == "start":
            if len(workers) < MAX_WORKERS:
                workers.append(Worker(self.world))
        elif workers:
            worker = choose(workers, pick)
            self.world.say(f"{worker.name}: {what}")
            worker.frozen = what == "freeze"
            if what == "kill":
                workers.remove(worker)

    @precondition(lambda self: self._awake())
    @rule(pick=picks, name=picks, fate=fates)
    def adopt(self, pick: int, name: int, fate: str) -> None:
        """A worker puts a layout, or writes the note of the one it has put: two racing adopters name the same parent."""
        worker = choose(self._awake(), pick)
        if worker.note is None:
            worker.propose(name, fate)
        else:
            worker.send_note(fate)

    # The network and the clock.

    def _delayed(self) -> list[tuple[Any, int]]:
        logs = (self.world.ledger, *self.world.topics.values())
        return [(log, index) for log in logs for index in range(len(log.limbo))]

    @precondition(lambda self: self._delayed())
    @rule(pick=picks)
    def delayed_arrives(self, pick: int) -> None:
        log, index = choose(self._delayed(), pick)
        log.arrive(index)
        self.world.say("something delayed arrives")
        promises.check_time(self.world)

    # The judge.

    def _hosts(self) -> list[JudgeHost]:
        return [host for host in self.world.hosts if not host.frozen]

    @rule(what=st.sampled_from(["take over", "kill", "freeze", "thaw"]), pick=picks, clock=st.integers(0, 100_000))
    def host_fault(self, what: str, pick: int, clock: int) -> None:
        hosts = self.world.hosts
        if what == "take over":
            if len(hosts) < MAX_HOSTS:
                hosts.append(JudgeHost(self.world, clock))
        elif hosts:
            host = choose(hosts, pick)
            host.say(what)
            host.frozen = what == "freeze"
            if what == "kill":
                hosts.remove(host)

    @precondition(lambda self: self._hosts())
    @rule(
        pick=picks, elapsed=st.sampled_from([1_000, 0, 300, 9_000]), read=st.booleans(), send=st.booleans(), fate=fates
    )
    def tick(self, pick: int, elapsed: int, read: bool, send: bool, fate: str) -> None:
        """Time passes. A host makes its next tick, or has one that it made before; it sends it now or later."""
        host = choose(self._hosts(), pick)
        self.world.wait(elapsed)
        if read:
            host.read_tail()
        if host.tick is None:
            host.make_tick()
        if send:
            host.send_tick(fate)
            promises.check_time(self.world)

    @precondition(lambda self: self._hosts())
    @rule(pick=picks, count=st.integers(1, 12), sends=st.integers(0, 3), fate=fates)
    def judge(self, pick: int, count: int, sends: int, fate: str) -> None:
        """A host folds on when everything is published, and does some steps of what it publishes."""
        host = choose(self._hosts(), pick)
        lane = host.lanes["publish"]
        if lane.step is None:
            host.fold(count, fate)
        for _ in range(sends):
            if lane.step is not None:
                host.step("publish", fate)

    @precondition(lambda self: any(host.crossing for host in self._hosts()))
    @rule(pick=picks, steps=st.integers(1, 3), store=st.booleans(), rival=st.booleans())
    def cross(self, pick: int, steps: int, store: bool, rival: bool) -> None:
        """A host gets some way across a gap; another one may take over at that very moment and cross it, too."""
        hosts = [choose([host for host in self._hosts() if host.crossing], pick)]
        _go_on(hosts[0], steps)
        if store:
            hosts[0].store_positions("delivered")
        if rival and len(self.world.hosts) < MAX_HOSTS:
            hosts.append(JudgeHost(self.world, clock=0))
            self.world.hosts.append(hosts[1])
            _go_on(hosts[1], 2 * steps)

    @precondition(lambda self: self._hosts())
    @rule(pick=picks, fate=fates)
    def store_positions(self, pick: int, fate: str) -> None:
        choose(self._hosts(), pick).store_positions(fate)

    @precondition(lambda self: self._hosts())
    @rule(pick=picks, fate=fates, complete=st.booleans())
    def checkpoint(self, pick: int, fate: str, complete: bool) -> None:
        """A host begins a checkpoint, does the next step of one, or all of it."""
        host = choose(self._hosts(), pick)
        lane = host.lanes["store"]
        if host.may_checkpoint:
            host.checkpoint()
        elif lane.step is not None:
            host.step("store", fate)
        while complete and lane.step is not None:
            host.step("store", "delivered")

    # What must hold in the end.

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            promises.settle(self.world)
            promises.check(self.world)
        except AssertionError:
            note("\n".join(self.world.history))
            raise


def _go_on(host: JudgeHost, steps: int) -> None:
    """A host folds, and publishes what follows; what it stores is a matter of its own."""
    for _ in range(steps):
        host.read_tail()
        if host.lanes["publish"].step is not None:
            host.step("publish", "delivered")
        elif host.lanes["store"].step is None:
            host.fold(9)
