"""``make soak``: twenty real minutes of a worker under steady traffic with faults; are memory and descriptors flat?

A worker as a person starts it, on a real broker: 2,000 records a second of 1 kB in four partitions, panes of two seconds, every
detector on, `/metrics` scraped every five seconds. In every second minute a field is missing for ten seconds. Writes the figures
into ``build/bench.json``, where a later ``make bench`` leaves them, and the samples with them.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import Any

import confluent_kafka

from benchmarks.cluster import PARTITIONS, configuration, create, prepare, rig
from benchmarks.figures import Report, growth
from benchmarks.memory import Sample, median_rss, part, slope
from benchmarks.monitor import learn
from benchmarks.payloads import STANDARD, values
from benchmarks.process import descriptors, resident_mb
from benchmarks.throughput import KINDS
from tests.broker.process import KEY, Worker, running, until
from tests.brokers.kafka import lacking

TOPIC = "soak.features"
APP = "sg-soak"
MINUTES = 20.0
RATE = 2_000
SAMPLE_S = 5.0
FAULT_S, FAULT_EVERY_S = 10, 120
SLICE_S = 0.05
FILE = Path("build/bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--into", type=Path, default=FILE)
    options = parser.parse_args()
    if missing := lacking():
        print(f"the soak needs Apache Kafka: {missing}", file=sys.stderr)
        return 69
    report = Report.load(options.into)
    report.add("soak", *measure(options.minutes))
    report.save(options.into)
    print("\n".join(report.lines(["soak"])))
    return 0


def measure(minutes: float) -> tuple[dict[str, float], Any]:
    """Return (figures, samples by hour)."""
    pool = values(STANDARD, KINDS)
    with rig() as (brokers, folder), running() as workers:
        create(brokers, TOPIC)
        text = f"app: {APP}\nstart: earliest\npane: 2s\nlateness: 2s\n{model()}"
        prepare(configuration(folder, brokers, APP, TOPIC, "pane: 2s\nlateness: 2s\n"), learn(pool, KEY.encode()))
        worker = Worker(folder, APP, brokers, text)
        workers.append(worker.start())
        until("the worker is ready", worker.ready, 60)
        assert worker.process is not None
        over = threading.Event()
        traffic = threading.Thread(target=_produce, args=(brokers, pool, over), daemon=True)
        traffic.start()
        samples = _watch(worker, worker.process.pid, 60 * minutes)
        over.set()
        traffic.join()
        details = _page(worker)
        worker.stop()
    second, last = part(samples, 0.25, 0.5), part(samples, 0.75, 1.0)
    figures = {
        "soak_rss_growth": growth(median_rss(second), median_rss(last)),
        "soak_descriptors_growth": float(max(item[2] for item in last) - max(item[2] for item in second)),
        "soak_rss_slope": slope(part(samples, 0.25, 1.0)),
        "soak_minutes": minutes,
    }
    return figures, {**details, "samples": samples}


def model() -> str:
    return (
        "models:\n  bench:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n"
        f"    features: {{topic: {TOPIC}}}\n"
    )


def _watch(worker: Worker, pid: int, seconds: float) -> list[Sample]:
    """Return (hours, RSS in MB, descriptors) every few seconds; the page is read each time.

    Raises:
        RuntimeError: the worker ended.
    """
    samples: list[Sample] = []
    begun = time.monotonic()
    while (elapsed := time.monotonic() - begun) < seconds:
        if not worker.get("/metrics")[0] or worker.process is None or worker.process.poll() is not None:
            raise RuntimeError(f"the worker does not answer after {elapsed:.0f} s:\n{worker.text[-2000:]}")
        samples.append((elapsed / 3600, resident_mb(pid), descriptors(pid)))
        if len(samples) % 12 == 0:
            print(f"{elapsed / 60:5.1f} min  {samples[-1][1]:.0f} MB  {samples[-1][2]} descriptors", flush=True)
        time.sleep(SAMPLE_S)
    return samples


def _page(worker: Worker) -> dict[str, Any]:
    """Return from the worker's page what shows that it did its work: records applied, alerts, the accounting."""
    applied = worker.metric("streamgauge_records_total").get('{stream="bench.features",class="applied"}', 0)
    alerts = sum(worker.metric("streamgauge_alert_events_total").values())
    difference = max(map(abs, worker.metric("streamgauge_accounting_difference_records").values()), default=None)
    return {"applied": applied, "alert_events": alerts, "accounting_difference": difference}


def _produce(brokers: str, pool: list[bytes], over: threading.Event) -> None:
    """Send records at a steady rate, with the time that it is now, until told to stop."""
    broken = [value.replace(b'"feature_07"', b'"feature_7x"') for value in pool]
    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    begun, sent = time.monotonic(), 0
    while not over.wait(SLICE_S):
        elapsed = time.monotonic() - begun
        faulty = elapsed % FAULT_EVERY_S > FAULT_EVERY_S - FAULT_S
        source = broken if faulty else pool
        for number in range(sent, int(elapsed * RATE)):
            producer.produce(TOPIC, source[number % len(source)], partition=number % PARTITIONS)
        sent = int(elapsed * RATE)
        producer.poll(0)
    producer.flush(10)


if __name__ == "__main__":
    sys.exit(main())
