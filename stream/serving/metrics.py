"""The catalogue: every metric there is, with its labels, unit and the way to add it up over workers.

Rules, dashboards, help texts and tests are checked against this list, so a rename cannot silently break a panel. The
order is the order of importance: when the series of one worker exceed `stream.serving.exposition.Registry`'s bound, the last
metrics of the catalogue lose their series first.

Names follow the conventions of Prometheus: base units, ``_total`` on counters only, ``_info`` for constant ones, a
point in time and never an age (an age stops growing when the process does). Two kinds of numbers need two kinds of
sums:

* what a worker knows of itself (its partitions, its restarts) adds up: ``sum``;
* what the ledger says is the same whoever reads it, so several workers may export it at once: ``max``.

Metrics of incidents are exported by the holder of the lease only: an incident that nobody judges any more must go stale
instead of burning for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.process_collector import ProcessCollector


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: full name. kind: ``counter`` or ``gauge``.
        labels: label names; values are given in this order.
        unit: of the value. aggregate: ``sum``, ``max`` or ``min`` over workers.
        help: one sentence.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    unit: str
    aggregate: str
    help: str


Sample = tuple[Metric, tuple[str, ...], float]
"""(metric, label values in the metric's order, value)."""

CATALOGUE: list[Metric] = []


def _gauge(name: str, labels: tuple[str, ...], unit: str, aggregate: str, text: str) -> Metric:
    return _add(Metric(f"streamgauge_{name}", "gauge", labels, unit, aggregate, text))


def _counter(name: str, labels: tuple[str, ...], unit: str, aggregate: str, text: str) -> Metric:
    return _add(Metric(f"streamgauge_{name}_total", "counter", labels, unit, aggregate, text))


def _add(metric: Metric) -> Metric:
    CATALOGUE.append(metric)
    return metric


_PARTITION = ("topic", "partition")

# What the judge says of the models. Prometheus forwards the incidents and never detects anything itself.
INCIDENT = _gauge(
    "incident",
    ("model", "check", "subject", "severity"),
    "1",
    "max",
    "Open incident; the series ends when it is resolved.",
)
INCIDENT_INFO = _gauge(
    "incident_info",
    ("model", "check", "subject", "incident", "owner_team"),
    "1",
    "max",
    "Id and owner of an open incident.",
)
HEARTBEAT = _gauge(
    "heartbeat_timestamp_seconds",
    (),
    "s",
    "max",
    "Wall clock of the judge's last heartbeat: all positions move, alerts are out.",
)
ALERTS_UNDELIVERED = _gauge(
    "alerts_undelivered", (), "1", "max", "1 while the brokers refuse an alert event; the judge waits with it."
)
ALERT_SENDS_FAILED = _counter(
    "alert_sends_failed", (), "sends", "sum", "Sends of alert events that the broker refused."
)
ACCOUNTING_DIFFERENCE = _gauge(
    "accounting_difference_records",
    ("topic", "partition", "stream"),
    "records",
    "max",
    "Offsets covered minus records accounted for by class; anything but 0 is a bug.",
)

# What a worker says of itself.
BUILD = _gauge("build_info", ("version", "python"), "1", "max", "Release of Streamgauge and of Python.")
CONFIG = _gauge("config_info", ("config", "layout", "reference"), "1", "max", "Content addresses of what is in force.")
JUDGE = _gauge("judge", (), "1", "sum", "1 when this worker is the judge; over all workers the sum is 1.")
STALLED = _gauge("stalled", _PARTITION, "1", "max", "1 when the partition has unread records and makes no progress.")
LAG = _gauge("consumer_lag_records", _PARTITION, "records", "max", "End offset minus accepted position.")
ASSIGNED = _gauge("assigned_partitions", (), "partitions", "sum", "Input partitions this worker reads.")
REBALANCES = _counter("rebalances", (), "rebalances", "sum", "Assignments this worker was given.")
LOOP_BLOCKED = _counter(
    "event_loop_blocked_seconds", (), "s", "sum", "Time by which the event loop was late for a timer of half a second."
)
LEDGER_RECORDS = _counter("ledger_records", (), "records", "max", "Ledger records accepted since this worker started.")
LEDGER_DROPPED = _counter(
    "ledger_records_dropped", (), "records", "max", "Ledger records not accepted since this worker started."
)
TICK = _gauge("ledger_tick_timestamp_seconds", (), "s", "max", "Wall clock of the last accepted tick of the ledger.")
GAPS = _counter(
    "judge_gaps",
    (),
    "gaps",
    "max",
    "How often the ledger had lost what was not judged yet, since this application began.",
)
CHECKPOINT = _gauge(
    "checkpoint_last_success_timestamp_seconds",
    (),
    "s",
    "max",
    "Wall clock of the last stored checkpoint; 0 before the first.",
)
LEARNED = _gauge(
    "learning_last_success_timestamp_seconds",
    (),
    "s",
    "max",
    "Wall clock at which this judge last learned a reference; 0 before the first.",
)
LEARNING_FAILURES = _counter(
    "learning_failures",
    ("reason",),
    "failures",
    "sum",
    "Attempts to learn a reference that came to nothing: failed, killed (want of memory), not_stored or timeout.",
)
PUBLISH_LAG = _gauge(
    "publish_lag_records", (), "records", "max", "Ledger records judged whose outputs are not acknowledged."
)
EXPORTED = _gauge(
    "exported_series", (), "series", "max", "Series on this page, apart from those about the page itself."
)
LIMIT = _gauge("exported_series_limit", (), "series", "max", "Most series this page may have.")
SUPPRESSED = _counter("series_suppressed", ("metric",), "series", "sum", "Series left out because the page was full.")
EXPOSITION = _gauge(
    "exposition_duration_seconds", (), "s", "max", "Time the last page took, pauses for other work included."
)

# What the ledger says of the streams.
RECORDS = _counter(
    "records",
    ("stream", "class"),
    "records",
    "max",
    "Records by class: applied, late, rejected, tombstones, filtered, gaps, lost, unjudged.",
)
REJECTED = _counter(
    "records_rejected", ("stream", "reason"), "records", "max", "Records that could not be read, by reason."
)
AFTER_CLOSE = _counter(
    "records_after_close", ("stream",), "records", "max", "Records that came for a pane already closed."
)
PANES = _counter("panes_closed", ("stream", "kind"), "panes", "max", "Closed panes: complete, partial or history.")
WATERMARK = _gauge(
    "watermark_timestamp_seconds", ("stream",), "s", "max", "Event time up to which the stream is complete."
)
NEWEST = _gauge("newest_event_timestamp_seconds", ("stream",), "s", "max", "Largest event time seen in any partition.")
REFERENCE_PANES = _gauge(
    "reference_panes_missing",
    ("stream",),
    "panes",
    "max",
    "Coarse panes still needed before drift is watched; 0 when it is.",
)
DRIFT_STATE = _gauge(
    "drift_state", ("stream", "state"), "1", "max", "1 for how far limits are: learning, provisional or calibrated."
)
DRIFT_LIMITS = _gauge(
    "drift_limits_timestamp_seconds",
    (),
    "s",
    "max",
    "Begin of the local day for which the limits in force were learned.",
)
FALSE_ALARMS = _gauge("false_alarms_promised_per_week", (), "1", "max", "The stated budget of the whole file.")
FALSE_ALARMS_REALISED = _gauge(
    "false_alarms_realised_per_week",
    (),
    "1",
    "max",
    "Days with calibrated limits on which drift incidents opened, less those on which a person called all of them incidents, "
    "over the last eight weeks; absent before limits are calibrated.",
)
ALERT_EVENTS = _counter(
    "alert_events", ("check", "severity", "status"), "events", "max", "Alert events by check, severity and status."
)

# What the detectors say of the features: most series by far, so they stand last.
FEATURE_STATE = _gauge(
    "feature_state", ("model", "stream", "feature"), "1", "max", "-1 no data or learning, 0 ok, 1 suspect, 2 firing."
)
FEATURE_STATISTIC = _gauge(
    "feature_statistic_per_threshold",
    ("model", "stream", "feature", "check"),
    "ratio",
    "max",
    "Statistic of a detector over its threshold; above 1 it fires.",
)

_PROCESS = {
    name: _add(Metric(f"process_{name}", kind, (), unit, "sum", text))
    for name, kind, unit, text in (
        ("cpu_seconds_total", "counter", "s", "User and system CPU time."),
        ("resident_memory_bytes", "gauge", "bytes", "Resident memory."),
        ("open_fds", "gauge", "descriptors", "Open file descriptors."),
        ("max_fds", "gauge", "descriptors", "Most file descriptors this process may open."),
        ("start_time_seconds", "gauge", "s", "Start of the process."),
    )
}

FEATURE_STATES = {"learning": -1, "ok": 0, "suspect": 1, "firing": 2}
"""Value of `FEATURE_STATE` by word of health."""


def process_samples() -> Iterator[Sample]:
    """Yield the conventional ``process_`` metrics, as prometheus_client reads them; nothing without /proc."""
    for family in ProcessCollector(registry=None).collect():
        for sample in family.samples:
            metric = _PROCESS.get(sample.name.removeprefix("process_"))
            if metric is not None:
                yield metric, (), float(sample.value)
