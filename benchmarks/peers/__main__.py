"""``make bench-peers``: the same records, the same core, one run; writes build/peers.json, benchmarks/peers.md and its plot.

The bare loop runs before and after every peer and each ratio is taken against the mean of these two: on a machine that does other
things as well both suffer alike. The broker has the other cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers import environments, page, workload
from benchmarks.peers.peers import BARE, OURS, PEERS, Peer
from benchmarks.peers.running import PeerError, run, streamgauge, verdict
from stream.kafka.cluster import create_ours
from tests.brokers.kafka import JARS, Kafka, lacking

TRAINING_PANES, TRAINING_STEP_MS = 800, 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--records", type=int, default=180_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    if missing := lacking():
        print(f"make bench-peers needs Apache Kafka: {missing}", file=sys.stderr)
        return 69
    reasons = {
        name: environments.make(name) for name in sorted({p.environment for p in [*PEERS, BARE] if p.environment})
    }
    if reasons[BARE.environment]:
        print(f"no yardstick: {reasons[BARE.environment]}", file=sys.stderr)
        return 69
    cores = sorted(os.sched_getaffinity(0))
    core, others = cores[-1], set(cores[:-1]) or set(cores)
    os.sched_setaffinity(0, others)  # the broker inherits it
    load = os.getloadavg()
    broker = Kafka()
    try:
        broker.start()
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(broker.address, Path(folder), core, options.records, options.rounds, reasons)
    finally:
        broker.stop()
    report = {"rows": rows, "environment": environment(options.records, options.rounds, load, core, others)}
    Path("build").mkdir(exist_ok=True)
    Path("build/peers.json").write_text(json.dumps(report, indent=1))
    page.write(report)
    return 0


def measure(
    brokers: str, folder: Path, core: int, records: int, rounds: int, reasons: dict[str, str]
) -> list[dict[str, Any]]:
    """Write the records, teach a worker for each round, then let everybody read; return a row for each."""
    theirs = {peer.share: f"peers.features-{peer.share}" for peer in PEERS}  # a topic ends where its readers are to end
    taught = {peer.name: f"peers.taught-{peer.step_ms}" for peer in OURS}
    workload.create(brokers, [*theirs.values(), *taught.values()])
    training = TRAINING_PANES * workload.PANE_MS // TRAINING_STEP_MS
    begin = workload.BEGIN_MS - TRAINING_PANES * workload.PANE_MS
    lessons = workload.records(0, training, begin, TRAINING_STEP_MS)
    workload.produce(brokers, dict.fromkeys(taught.values(), training), lessons)
    files = {}
    for name, topic in taught.items():
        for number in range(rounds):
            files[name, number] = teach(brokers, folder, topic, number, core, training)
    for peer in OURS:
        source = workload.records(training, records, workload.BEGIN_MS, peer.step_ms)
        topics = {taught[peer.name]: records}
        if peer.step_ms == BARE.step_ms:
            topics |= {topic: int(records * share) for share, topic in theirs.items()}
            expected = workload.produce(brokers, topics, source)
        else:
            workload.produce(brokers, topics, source)
    bare: list[dict[str, Any]] = []
    found: dict[str, list[dict[str, Any]]] = {peer.name: [] for peer in PEERS}
    for number in range(rounds):
        bare.append(run(BARE, core, brokers, theirs[BARE.share], records))
        for peer in PEERS:
            if peer.environment and reasons[peer.environment]:
                continue
            try:
                if peer in OURS:
                    figures = streamgauge("measure", core, files[peer.name, number], training + records)
                else:
                    figures = run(peer, core, brokers, theirs[peer.share], int(records * peer.share))
            except PeerError as failure:
                reasons[peer.name] = str(failure)
                print(f"{number + 1} of {rounds}  {peer.name:<32} {failure}", flush=True)
                continue
            bare.append(run(BARE, core, brokers, theirs[BARE.share], records))
            figures["bare_us"] = statistics.fmean(map(cost, bare[-2:]))
            figures["complete"], figures["right"] = verdict(figures.pop("windows", []), expected)
            found[peer.name].append(figures)
            print(
                f"{number + 1} of {rounds}  {peer.name:<32} {cost(figures):8.1f} us, bare {figures['bare_us']:.1f}",
                flush=True,
            )
    rows = [row(BARE, [figures | {"bare_us": cost(figures)} for figures in bare], "")]
    for peer in PEERS:
        reason = reasons.get(peer.environment, "") or reasons.get(peer.name, "")
        rows.append(row(peer, found[peer.name], reason))
    return rows


def teach(brokers: str, folder: Path, topic: str, number: int, core: int, training: int) -> Path:
    """Let a worker learn layout and reference from the training records, so that every detector is armed in the measurement."""
    app = f"sg-{topic}-{number}"
    asyncio.run(create_ours(brokers, app, 1))
    file = folder / f"{app}.yaml"
    file.write_text(
        f"app: {app}\nkafka: {{brokers: '{brokers}'}}\nstart: earliest\nwarm_up: 200m\n"
        f"streams:\n  peers: {{topic: {topic}, time: {{field: ts, unit: ms}}}}\n"
        "models:\n  bench:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n    features: {stream: peers}\n"
    )
    streamgauge("learn", core, file, training)
    return file


def cost(figures: dict[str, Any]) -> float:
    """Return CPU microseconds per event."""
    return float(figures["cpu_s"]) / float(figures["records"]) * 1e6


def row(peer: Peer, runs: list[dict[str, Any]], reason: str) -> dict[str, Any]:
    """Sum up the runs of a peer: medians, and the ratio run by run."""
    interpreter = str(environments.python(peer.environment)) if peer.environment else sys.executable
    facts = {"name": peer.name, "computes": peer.computes, "killed": peer.killed, "reason": reason}
    if not runs:
        return facts | {"runs": []}
    us = statistics.median(map(cost, runs))
    return facts | {
        "us_per_event": round(us, 1),
        "events_per_cpu_second": round(1e6 / us),
        "of_bare": round(statistics.median(one["bare_us"] / cost(one) for one in runs), 4),
        "records": runs[0]["records"],
        "versions": json.loads(environments.versions(interpreter, peer.packages)),
        "runs": runs,
    }


def environment(
    records: int, rounds: int, load: tuple[float, float, float], core: int, others: set[int]
) -> dict[str, Any]:
    """Describe where and when."""
    kafka = next(JARS.glob("kafka-server-[0-9]*.jar"), None) or next(JARS.glob("kafka_*.jar"))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "cores": f"peer on core {core}, broker on {sorted(others)}",
        "broker": kafka.stem,
        "records": records,
        "rounds": rounds,
        "load_before": [round(one, 1) for one in load],
        "load_after": [round(one, 1) for one in os.getloadavg()],
    }


if __name__ == "__main__":
    sys.exit(main())
