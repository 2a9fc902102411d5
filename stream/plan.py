"""What is watched, in the form the taps and the judge use: the configuration with every default filled in and no secrets.

A *stream* is one role of one model: ``fraud.features``, ``fraud.predictions``, ``fraud.outcomes``. Several streams may read
one topic; each keeps its own classes, frontier and panes. The plan travels inside the layout (see `stream.layout`), so a
worker counts by what the ledger says is in force, not by the file it happens to have.

Sources are strings: a path (``tx.amount``), ``header:name`` or ``key``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from stream.codec import digest

OWN_TOPICS = ("ledger", "panes", "state", "alerts", "alerts.state", "dead-letter", "join")
"""Our topics, each named ``<app>.<one of these>``."""


def own_topics(app: str) -> tuple[str, ...]:
    """Return the names of the topics that the monitor itself writes (``join`` is kept for a later release)."""
    return tuple(f"{app}.{name}" for name in OWN_TOPICS)


@dataclass(frozen=True, slots=True)
class Field:
    """One watched field of a stream.

    Attributes:
        name: what people call it; unique within the stream.
        source: where its value stands.
        kind: ``number``, ``category``, ``bool``, or ``id``, of which only presence and type are counted, never a
            sketch or bins (every value is new, and none may leave the process); None lets the learner decide.
        required: the model cannot work without it: its incidents page.
        show: its category values and codes may appear on pages (P14: otherwise keyed hashes only).
        range: inclusive bounds of a number; None when not stated.
        as_of: source of the time at which the value was true; None when not stated.
        max_age_ms: age at which the value is stale (with ``as_of``).
        severity: ``page``, ``ticket`` or ``info``, overriding the default.
        declared: the user named it. Fields found by the monitor itself are not declared.
    """

    name: str
    source: str
    kind: str | None = None
    required: bool = False
    show: bool = False
    range: tuple[float, float] | None = None
    as_of: str | None = None
    max_age_ms: int | None = None
    severity: str | None = None
    declared: bool = True


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One role of one model on one topic.

    Attributes:
        name: ``<model>.<role>``.
        where: pairs (source, value) that a record must carry to belong to the stream; the others are *filtered*.
        time: source of the event time; None means the record timestamp.
        time_unit: ``rfc3339``, ``s``, ``ms``, ``us`` or ``ns``; the form of the event time.
        version: source of the model version. producer: source of the producing application.
        id: source of the id that joins predictions and outcomes.
        unlisted: ``watch``, ``count`` or ``ignore``: what happens to fields that nobody listed.
        silence_ms: silence after which the stream counts as stopped; None means learned (5 min at least).
        lateness_ms: how far behind the frontier an event time may lie before the record is late.
        positive_at: the score from which on a decision is positive (predictions only); None when not stated.
        detectors: names of `detectors.GUARDED` that watch its fields as well, sorted.
    """

    name: str
    model: str
    role: str
    topic: str
    format: str = "json"
    where: tuple[tuple[str, str | float | bool], ...] = ()
    time: str | None = None
    time_unit: str = "ms"
    version: str | None = None
    producer: str | None = None
    id: str | None = None
    fields: tuple[Field, ...] = ()
    unlisted: str = "watch"
    silence_ms: int | None = None
    lateness_ms: int = 10_000
    positive_at: float | None = None
    detectors: tuple[str, ...] = ()

    @property
    def exact(self) -> frozenset[str]:
        """Return the sources whose whole numbers must not become floats: names (version 3 is not 3.0) and times."""
        sources = (self.time, self.version, self.producer, *(field.as_of for field in self.fields))
        return frozenset(source for source in sources if source is not None)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What a model is for: the text that stands on the page at 3 a.m.

    Attributes:
        weight: the part of the budget of false alarms that each of its series may take, beside one of 1.
    """

    name: str
    owner: str
    decision: str
    when_wrong: str
    cost: dict[str, Any] = field(default_factory=dict)
    runbook: str | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole configuration. Equal plans have equal `config_hash`.

    Attributes:
        false_alarms: stated budget of the whole file: openings of statistical incidents a week that mean nothing.
        holidays: ISO dates that count as Sundays. warm_up_ms: event time that a reference must span.
    """

    app: str
    streams: tuple[StreamPlan, ...]
    models: tuple[ModelPlan, ...]
    pane_ms: int = 60_000
    max_future_ms: int = 3_600_000
    timezone: str = "UTC"
    hash_key_id: str = ""
    false_alarms: float = 1.0
    holidays: tuple[str, ...] = ()
    warm_up_ms: int = 86_400_000

    @property
    def config_hash(self) -> str:
        return digest(self.to_dict())

    @property
    def coarse_panes(self) -> int:
        """Return how many panes make a coarse one, over which statistics run (`stream.coarse`)."""
        return panes_of(self.pane_ms, self.warm_up_ms)

    @property
    def coarse_ms(self) -> int:
        return self.coarse_panes * self.pane_ms

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({stream.topic for stream in self.streams}))

    def of_topic(self, topic: str) -> tuple[StreamPlan, ...]:
        return tuple(stream for stream in self.streams if stream.topic == topic)

    def stream(self, name: str) -> StreamPlan:
        return next(stream for stream in self.streams if stream.name == name)

    def model(self, name: str) -> ModelPlan:
        return next(model for model in self.models if model.name == name)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Plan:
        """Rebuild a plan from `to_dict`, also after a journey through JSON."""
        streams = tuple(_stream(stream) for stream in tree["streams"])
        models = tuple(ModelPlan(**model) for model in tree["models"])
        holidays = tuple(tree.get("holidays", ()))
        return Plan(**{**tree, "streams": streams, "models": models, "holidays": holidays})


MOST_COARSE_MS = 300_000
COARSE_PARTS = 288
"""Coarse panes of `warm_up_ms`: whoever shortens that has shorter ones."""


def panes_of(pane_ms: int, warm_up_ms: int) -> int:
    """Return how many panes make a coarse one.

    >>> panes_of(60_000, 86_400_000), panes_of(3_600_000, 86_400_000), panes_of(1_000, 200_000)
    (5, 1, 1)
    """
    return max(1, min(MOST_COARSE_MS, warm_up_ms // COARSE_PARTS) // pane_ms)


def _stream(tree: dict[str, Any]) -> StreamPlan:
    fields = tuple(_field(item) for item in tree["fields"])
    where = tuple((source, value) for source, value in tree["where"])
    return StreamPlan(**{**tree, "fields": fields, "where": where, "detectors": tuple(tree.get("detectors", ()))})


def _field(tree: dict[str, Any]) -> Field:
    bounds = tree["range"]
    return Field(**{**tree, "range": None if bounds is None else (float(bounds[0]), float(bounds[1]))})
