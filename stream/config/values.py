"""The kinds of single values that a configuration file holds: names, sources, durations, addresses, ranges.

Each is a pydantic type that says what it expects in the reader's words, and carries its pattern into the JSON Schema,
so an editor marks the same mistakes.
"""

from __future__ import annotations

import math
import re
import zoneinfo
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from stream.config.durations import PATTERN, parse_duration
from stream.config.errors import did_you_mean, refuse, suggestion

T = TypeVar("T")


def _given(value: Any) -> Any:
    """Refuse a key without a value: whether it was forgotten or meant as "none" cannot be told."""
    if value is None:
        raise refuse("a value")
    return value


Given = Annotated[T | None, BeforeValidator(_given)]
"""A key that may be left out, but not left empty."""


@dataclass(frozen=True)
class Matching:
    """A text that matches a pattern as a whole."""

    pattern: str
    expected: str

    def check(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise refuse(self.expected)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}


@dataclass(frozen=True)
class Duration:
    """A duration between two others; milliseconds once read."""

    low: str
    high: str

    def check(self, value: Any) -> int:
        expected = f"a duration from {self.low} to {self.high}, such as 500ms, 10s, 5m, 2h or 1d"
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refuse(expected, found=f"{value!r}, a number without a unit", hint=f"did you mean '{value}s'?")
        try:
            milliseconds = parse_duration(value) if isinstance(value, str) else -1
        except ValueError:
            milliseconds = -1
        if not parse_duration(self.low) <= milliseconds <= parse_duration(self.high):
            raise refuse(expected)
        return milliseconds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": PATTERN}


def is_path(source: str) -> bool:
    """Tell whether a source names a place in the record's value (and not a header or the record key)."""
    return source != "key" and not source.startswith("header:") and is_source(source)


def is_source(text: str) -> bool:
    """Tell whether a text is a source: a path such as ``tx.amount``, ``header:NAME``, or ``key``."""
    parts = [text.removeprefix("header:")] if text.startswith("header:") else text.split(".")
    return all(parts) and text.isprintable() and len(text.encode()) <= 256


def _source(value: str) -> str:
    if not is_source(value):
        raise refuse("a path such as tx.amount, header:NAME, or key for the record key")
    return value


def _field_name(value: str) -> str:
    if not value or not value.isprintable() or len(value.encode()) > 128:
        raise refuse("a name of 1 to 128 bytes without control characters")
    return value


def _text(value: str) -> str:
    if not value.strip() or len(value) > 500 or not value.replace("\n", "").isprintable():
        raise refuse("a text of 1 to 500 characters: it stands on the page at 3 a.m.")
    return value.strip()


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", value) or not value.isprintable():
        hint = "a name or password in an address would be printed in alerts; leave it out" if "@" in value else ""
        raise refuse("an address such as https://wiki.example.org/fraud", hint=hint)
    return value


def _brokers(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _broker(value: str) -> str:
    expected = "host:port, such as kafka:9092"
    if "@" in value:
        raise refuse(expected, hint="a name or password in an address would be printed in logs; leave it out")
    if "://" in value:
        raise refuse(expected, hint=f"leave out '{value.partition('://')[0]}://'")
    if re.fullmatch(r"[A-Za-z0-9._-]+", value):
        raise refuse(expected, hint=f"did you mean '{value}:9092'?")
    match = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", value)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise refuse(expected)
    return value


def _timezone(value: str) -> str:
    known = zoneinfo.available_timezones() | {"UTC"}
    if value not in known:
        raise refuse("a time zone of the IANA data base, such as Europe/Berlin", hint=suggestion(value, known))
    return value


WEIGHTS = (0.01, 100.0)
"""Least and greatest weight of a model: beyond it one model would hardly be watched beside the other."""

_PER_WEEK = {"day": 7.0, "week": 1.0, "month": 7 * 12 / 365.25}


@dataclass(frozen=True)
class FalseAlarmRate:
    """A rate such as ``1 per week``; alarms a week once read."""

    low: str
    high: str

    PATTERN = r"[0-9]+(\.[0-9]+)? per (day|week|month)"

    def check(self, value: Any) -> float:
        expected = f"a rate from {self.low} to {self.high}, such as '1 per week'"
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise refuse(
                expected, found=f"{value!r}, a number without a time", hint=f"did you mean '{value} per week'?"
            )
        if not isinstance(value, str) or not re.fullmatch(self.PATTERN, value):
            raise refuse(expected)
        if not _rate(self.low) <= _rate(value) <= _rate(self.high):
            raise refuse(expected)
        return _rate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.PATTERN}$"}


def _rate(text: str) -> float:
    amount, _, time = text.partition(" per ")
    return float(amount) * _PER_WEEK[time]


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise refuse("a date such as 2026-12-25") from None


def _bounds(value: list[float]) -> list[float]:
    if not value[0] < value[1]:
        raise refuse("[low, high] with low below high", found=f"[{value[0]:g}, {value[1]:g}]")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise refuse("a finite number")
    return value


def _amount(value: Any) -> Any:
    if isinstance(value, dict):
        message = "a cost read from a field is not built yet in this release"
        raise refuse("a number", message=message, hint="state the typical cost of one such decision")
    if isinstance(value, int | float) and not (value >= 0 and math.isfinite(value)):
        raise refuse("a number, 0 or more")
    return value


def _weight(value: Any) -> Any:
    low, high = WEIGHTS
    if isinstance(value, int | float) and not isinstance(value, bool) and not low <= value <= high:
        hint = "no weight takes a model out of the budget; delete the model to stop watching it" if value == 0 else ""
        raise refuse(f"a number from {low:g} to {high:g}; a model that states none has 1", hint=hint)
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        raise refuse("one text, number, true or false", hint="several values are not read here")
    return _finite(value) if isinstance(value, float) else value


def _format(value: Any) -> Any:
    if isinstance(value, str) and did_you_mean(value, ("avro", "protobuf", "json_schema")):
        raise refuse(
            "json", message=f"format {value} is not built yet in this release", hint="only JSON records are read"
        )
    if value != "json":
        raise refuse("json", hint=suggestion(value, ["json"]) if isinstance(value, str) else "")
    return value


Name = Annotated[
    str,
    Matching(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a name of 1 to 64 letters, digits, '_' or '-' (it becomes a label)"),
]
AppName = Annotated[
    str,
    Matching(
        r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}", "1 to 200 letters, digits, '.', '_' or '-' (our topics begin with it)"
    ),
]
Topic = Annotated[
    str,
    Matching(
        r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "the name of a Kafka topic: 1 to 249 letters, digits, '.', '_' or '-'"
    ),
]
Currency = Annotated[str, Matching(r"[A-Z]{3}", "a currency of three capital letters, such as EUR")]
Pane = Annotated[int, Duration("1s", "1h")]
Lateness = Annotated[int, Duration("0s", "20h")]
Future = Annotated[int, Duration("1s", "7d")]
Silence = Annotated[int, Duration("1s", "30d")]
WarmUp = Annotated[int, Duration("1s", "28d")]
FalseAlarms = Annotated[float, FalseAlarmRate("1 per month", "1 per day")]
Day = Annotated[str, AfterValidator(_day), Field(json_schema_extra={"format": "date"})]
MaxAge = Annotated[int, Duration("1ms", "3650d")]
Source = Annotated[str, AfterValidator(_source)]
FieldName = Annotated[str, AfterValidator(_field_name)]
Text = Annotated[str, AfterValidator(_text)]
Url = Annotated[str, AfterValidator(_url), Field(json_schema_extra={"pattern": "^https?://"})]
Broker = Annotated[str, AfterValidator(_broker), Field(json_schema_extra={"pattern": "^[^@/]+:[0-9]{1,5}$"})]
Brokers = Annotated[list[Broker], Field(min_length=1, max_length=100), BeforeValidator(_brokers)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Number = Annotated[float, AfterValidator(_finite)]
Range = Annotated[list[Number], Field(min_length=2, max_length=2), AfterValidator(_bounds)]
Amount = Annotated[float, BeforeValidator(_amount)]
Weight = Annotated[
    float, BeforeValidator(_weight), Field(json_schema_extra={"minimum": WEIGHTS[0], "maximum": WEIGHTS[1]})
]
Scalar = Annotated[StrictStr | StrictBool | StrictInt | StrictFloat, BeforeValidator(_scalar)]
Format = Annotated[str, BeforeValidator(_format), WithJsonSchema({"const": "json"})]
