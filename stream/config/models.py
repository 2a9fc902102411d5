"""The shape of the configuration file: one class per mapping, one attribute per key, in the words of the file.

A key that a later release will read is listed in `not_built` with what to do meanwhile; it is refused by that name
rather than ignored, because a team that wrote ``budget:`` believes that it has one. Descriptions are what an editor
shows and what an error says it expected.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from stream.config.errors import refuse
from stream.config.hash_key import HashKey
from stream.config.values import (
    Amount,
    AppName,
    Brokers,
    Currency,
    Day,
    FalseAlarms,
    FieldName,
    Format,
    Future,
    Given,
    Lateness,
    MaxAge,
    Name,
    Number,
    Pane,
    Range,
    Scalar,
    Silence,
    Source,
    Text,
    Timezone,
    Topic,
    Url,
    WarmUp,
    Weight,
)
from stream.layout import MAX_FIELDS

MAX_SEGMENTS = 5


class Block(BaseModel):
    """A mapping of the file. Nothing is coerced, nothing unknown is accepted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, use_attribute_docstrings=False
    )

    not_built: ClassVar[dict[str, str]] = {}
    """Keys of later releases, and what to do meanwhile."""


class SecretSource(Block):
    """Where a secret is read from: exactly one of the two."""

    env: Given[str] = Field(None, description="name of an environment variable")
    file: Given[str] = Field(None, description="path of a file, relative to this one")


class Kafka(Block):
    not_built = {
        "tls": "this release connects without encryption",
        "sasl": "this release connects without authentication",
        "registry": "this release reads JSON without a schema registry",
    }

    brokers: Brokers = Field(description="host:port of one or more brokers, such as kafka:9092")


class Web(Block):
    """Where /metrics and the health pages are served."""

    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=6066, ge=0, le=65535, description="0 takes any free port")
    insecure: bool = Field(default=False, description="serve other machines although nobody is asked who they are")


class EventTime(Block):
    field: Source = Field(description="where the event time stands, such as ts")
    unit: Literal["rfc3339", "s", "ms", "us", "ns"] = Field(description="rfc3339, or the unit of a number since 1970")


class StreamKeys(Block):
    """What a named stream and a role of a model have in common."""

    topic: Given[Topic] = Field(None, description="the name of a Kafka topic")
    format: Format = "json"
    where: dict[Source, Scalar] = Field({}, description="what a record must carry to be counted here")
    time: Given[EventTime] = Field(None, description="event time; the record's timestamp where it is not stated")
    version: Given[Source] = Field(None, description="where the model's version stands")
    producer: Given[Source] = Field(None, description="where the name of the producing application stands")
    silence: Given[Silence] = Field(
        None, description="silence after which the stream counts as stopped; learned if not stated"
    )
    lateness: Given[Lateness] = Field(None, description="how late a record may come and still be counted")


class NamedStream(StreamKeys):
    topic: Topic = Field(description="the name of a Kafka topic")


class Role(StreamKeys):
    stream: Given[str] = Field(None, description="a name under 'streams'; keys beside it replace those of the stream")
    unlisted: Given[Literal["watch", "count", "ignore"]] = Field(
        None, description="what happens to fields that nobody listed"
    )


class FieldSettings(Block):
    """One watched field. A text is its path; nothing means that the path is the name."""

    path: Given[Source] = Field(None, description="where its value stands; the name where it is not stated")
    kind: Given[Literal["number", "category", "bool"]] = Field(None, description="learned where it is not stated")
    required: bool = Field(False, description="the model cannot work without it: its incidents page")
    show: bool = Field(False, description="its category values may appear in alerts")
    range: Given[Range] = Field(None, description="[low, high], both allowed")
    as_of: Given[Source] = Field(None, description="where the time stands at which the value was true")
    max_age: Given[MaxAge] = Field(None, description="age at which the value is stale")
    severity: Given[Literal["page", "ticket", "info"]] = Field(
        None, description="replaces the severity of its incidents"
    )

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if value is None:
            return {}
        return {"path": value} if isinstance(value, str) else value


DetectorName = Literal["adwin", "kswin", "page_hinkley"]
"""The names of `detectors.GUARDED`, spelled out: an editor offers them, and nothing of river is imported to read a file."""

ERROR_RATES = ("ddm", "eddm", "fhddm", "hddm_a", "hddm_w")
"""Detectors of `detectors.error_rate`."""

NO_LOSS = "outcomes are not yet joined to predictions, so there is no loss to watch"


def _no_error_rate(value: Any) -> Any:
    if value in ERROR_RATES:
        raise refuse(f"one of {', '.join(get_args(DetectorName))}", message="needs the loss of a model", hint=NO_LOSS)
    return value


Detectors = list[Annotated[DetectorName, BeforeValidator(_no_error_rate)]]


class Features(Role):
    detectors: Detectors = Field([], description="detectors of river that watch its fields as well, such as adwin")
    fields: dict[FieldName, FieldSettings] = Field(
        {}, max_length=MAX_FIELDS, description="the fields to watch; all where there are none"
    )
    segments: list[FieldName] = Field(
        [], max_length=MAX_SEGMENTS, description="categories, codes or bools by which explain tells where it moved"
    )


NO_SEGMENTS = "segments stand under features, by the names of its fields: features: {segments: [origin]}"


class Predictions(Role):
    not_built = {
        "latency_ms": "leave the latency to the serving system's own metrics",
        "error": "a 'where' that selects answered requests keeps errors out of the score",
        "fallback": "a 'where' that selects decisions of the model keeps fallbacks out",
        "deferred": "a 'where' that selects decisions of the model keeps deferred ones out",
        "segments": NO_SEGMENTS,
    }

    detectors: Detectors = Field([], description="detectors of river that watch the score as well, such as adwin")
    id: Given[Source] = Field(None, description="where the id stands that joins a prediction to its outcome")
    kind: Given[Literal["binary", "regression"]] = Field(None, description="binary where positive_at is stated")
    score: Given[FieldSettings] = Field(None, description="where the score stands; a mapping may state its range")
    positive_at: Given[Number] = Field(None, description="the score from which on the decision is positive")

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The bounds of the score: as stated; those of a probability for a binary model; none otherwise."""
        if self.score is not None and self.score.range is not None:
            return self.score.range[0], self.score.range[1]
        binary = self.kind == "binary" or (self.kind is None and self.positive_at is not None)
        return (0.0, 1.0) if binary else None


class Outcomes(Role):
    not_built = {
        "horizon": "outcomes are watched as a stream and not yet joined to predictions",
        "detectors": NO_LOSS,
        "segments": NO_SEGMENTS,
    }

    id: Given[Source] = Field(None, description="where the id of the prediction stands")
    label: Given[FieldSettings] = Field(None, description="where the outcome stands")


class Cost(Block):
    not_built = {"budget": "state the cost of single decisions and leave the limit out"}

    false_positive: Amount = Field(description="the cost of one wrong positive decision, a number")
    false_negative: Amount = Field(description="the cost of one missed positive, a number")
    currency: Currency = Field(description="a currency of three capital letters, such as EUR")


class Model(Block):
    not_built = {
        "success": "performance is not yet measured; drift, schema, volume and freshness are",
        "segments": NO_SEGMENTS,
    }

    owner: Text = Field(description="the team that is called, such as payments-ml")
    decision: Text = Field(description="what the model decides, such as 'hold a card payment for review'")
    when_wrong: Text = Field(description="what happens when it is switched off, such as 'rules engine v3 decides'")
    weight: Weight = Field(1.0, description="its part of false_alarms beside that of the others; 1 if not stated")
    runbook: Given[Url] = Field(None, description="address of the page that says what to do")
    cost: Given[Cost] = Field(None, description="what wrong decisions cost")
    features: Given[Features] = Field(None, description="the topic of the model's input")
    predictions: Given[Predictions] = Field(None, description="the topic of its answers")
    outcomes: Given[Outcomes] = Field(None, description="the topic of what came true")

    @property
    def roles(self) -> dict[str, Role]:
        """The roles that are watched, by name, in the order in which records flow."""
        roles = {"features": self.features, "predictions": self.predictions, "outcomes": self.outcomes}
        return {name: role for name, role in roles.items() if role is not None}


class Settings(Block):
    """The whole file, with its defaults."""

    app: AppName = Field(description="consumer group and prefix of our topics, such as sg-fraud")
    kafka: Kafka = Field(description="how to reach the cluster, such as {brokers: 'kafka:9092'}")
    models: dict[Name, Model] = Field(min_length=1, description="the models to watch, by name")
    streams: dict[Name, NamedStream] = Field({}, description="streams that several models read, by name")
    hash_key: Given[SecretSource] = Field(None, description="the key of category hashes: {env: NAME} or {file: PATH}")
    false_alarms: FalseAlarms = Field(
        1.0, description="how many false drift alarms the whole file may raise, such as '1 per week'"
    )
    timezone: Timezone = Field("UTC", description="whose days and hours count")
    holidays: list[Day] = Field([], max_length=1000, description="days that are like Sundays, such as 2026-12-25")
    warm_up: WarmUp = Field(86_400_000, description="event time that a reference must span before drift is looked for")
    pane: Pane = Field(60_000, description="length of a pane of event time")
    lateness: Lateness = Field(10_000, description="how late a record may come and still be counted")
    max_future: Future = Field(3_600_000, description="how far ahead of the clock an event time may lie")
    start: Literal["end", "earliest"] = Field("end", description="where a topic that was never read is entered")
    web: Web = Field(default=Web(), description="where /metrics and the health pages are served")

    _key: HashKey = PrivateAttr()

    @property
    def key(self) -> HashKey:
        """The key of category hashes, as `stream.config.settings.load` read it."""
        return self._key

    def with_key(self, key: HashKey) -> Settings:
        """Return the same settings holding the key of category hashes."""
        settings = self.model_copy()
        settings._key = key
        return settings

    def stream_of(self, role: Role) -> NamedStream:
        """Return what a role reads: its own keys over those of the stream that it names."""
        own = {name: getattr(role, name) for name in NamedStream.model_fields if name in role.model_fields_set}
        named = self.streams[role.stream] if role.stream is not None else None
        return named.model_copy(update=own) if named is not None else NamedStream.model_construct(**own)
