"""Rules that concern more than one key of the configuration file. They run once every value is good by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from stream.config.durations import format_duration
from stream.config.errors import Problem, shown, suggestion
from stream.config.models import Features, FieldSettings, Model, NamedStream, Predictions, Role, Settings
from stream.config.values import is_path
from stream.config.yaml_tree import Path
from stream.plan import own_topics

MAX_LATENESS_PANES = 20
"""A tap pauses a partition more than 30 panes ahead of the watermark, and the watermark trails by the lateness."""

_NAME_HINT = "'path: key' is the record key, 'path: header:NAME' a header"


def check(settings: Settings) -> Iterator[Problem]:
    """Yield every problem between keys."""
    yield from _web(settings)
    yield from _lateness(settings, settings.lateness, ("lateness",))
    for name, stream in settings.streams.items():
        yield from _stream(settings, stream, ("streams", name))
    for name, model in settings.models.items():
        yield from _model(settings, model, ("models", name))


def _web(settings: Settings) -> Iterator[Problem]:
    web = settings.web
    if not web.insecure and not _loopback(web.host):
        hint = "put a proxy that asks for a password before it, or write insecure: true"
        yield Problem(
            ("web", "host"), "would serve other machines", shown(web.host), "a loopback address such as 127.0.0.1", hint
        )


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _stream(settings: Settings, stream: NamedStream | Role, path: Path) -> Iterator[Problem]:
    """Check what a named stream and a role state alike."""
    if stream.topic is not None and stream.topic in own_topics(settings.app):
        expected = "a topic of yours: this one is written by the monitor itself"
        yield Problem((*path, "topic"), "one of our own topics", shown(stream.topic), expected)
    if stream.lateness is not None:
        yield from _lateness(settings, stream.lateness, (*path, "lateness"))


def _lateness(settings: Settings, lateness: int, path: Path) -> Iterator[Problem]:
    limit = MAX_LATENESS_PANES * settings.pane
    if lateness > limit:
        expected = f"at most {MAX_LATENESS_PANES} panes ({format_duration(limit)})"
        yield Problem(path, "too long for the pane", format_duration(lateness), expected, "a longer 'pane' allows more")


def _model(settings: Settings, model: Model, path: Path) -> Iterator[Problem]:
    if not model.roles:
        yield Problem(path, "nothing to watch", "no topic", "at least one of features, predictions, outcomes")
    for name, role in model.roles.items():
        yield from _role(settings, role, (*path, name))
    if model.features is not None:
        for name, field in model.features.fields.items():
            place = (*path, "features", "fields", name)
            if field.path is None and not is_path(name):
                yield Problem(place, "the name is not a path", shown(name), "a 'path' beside it", _NAME_HINT)
            yield from _field(field, place)
        yield from _segments(model.features, (*path, "features", "segments"))
    if model.predictions is not None:
        yield from _predictions(model.predictions, (*path, "predictions"))
    if model.outcomes is not None and model.outcomes.label is not None:
        yield from _field(model.outcomes.label, (*path, "outcomes", "label"))


def _segments(features: Features, path: Path) -> Iterator[Problem]:
    """Check the names against the listed fields; of those that are found later `streamgauge explain` says what is wrong."""
    known = features.fields
    found_later = features.unlisted == "watch" or (features.unlisted is None and not known)
    for place, name in enumerate(features.segments):
        here = (*path, place)
        field = known.get(name)
        if name in features.segments[:place]:
            yield Problem(here, "named twice", shown(name), "each field once")
        elif field is None and not found_later:
            listed = f"one of {', '.join(known)}" if known else "a field listed under 'fields'"
            yield Problem(here, "not a field of this stream", shown(name), listed, suggestion(name, known))
        elif field is not None and (field.kind == "number" or field.range is not None):
            hint = "a number with few values is one with kind: category"
            yield Problem(here, "a number is no segment", shown(name), "a category, a code or a bool", hint)


def _role(settings: Settings, role: Role, path: Path) -> Iterator[Problem]:
    if (role.topic is None) == (role.stream is None):
        found = "neither" if role.topic is None else "both"
        yield Problem(path, "unclear what to read", found, "either topic or stream")
    elif role.stream is not None and role.stream not in settings.streams:
        expected = (
            f"one of {', '.join(settings.streams)}" if settings.streams else "a name under 'streams', which is empty"
        )
        hint = suggestion(role.stream, settings.streams)
        yield Problem((*path, "stream"), "unknown stream", shown(role.stream), expected, hint)
    yield from _stream(settings, role, path)


def _field(field: FieldSettings, path: Path) -> Iterator[Problem]:
    if field.max_age is not None and field.as_of is None:
        hint = "as_of says where the time stands at which the value was true"
        yield Problem((*path, "max_age"), "needs as_of", format_duration(field.max_age), "as_of beside it", hint)
    if field.range is not None and field.kind not in (None, "number"):
        yield Problem((*path, "range"), "only numbers have a range", f"kind: {field.kind}", "kind: number")
    if field.show and field.kind not in (None, "category"):
        yield Problem((*path, "show"), "only categories can be shown", f"kind: {field.kind}", "kind: category")


def _predictions(role: Predictions, path: Path) -> Iterator[Problem]:
    if role.score is None:
        for key in ("kind", "positive_at"):
            if getattr(role, key) is not None:
                yield Problem((*path, key), "needs score", shown(getattr(role, key)), "score beside it")
        return
    yield from _score(role.score, (*path, "score"))
    if role.positive_at is None:
        return
    place = (*path, "positive_at")
    bounds = role.score_range
    if role.kind == "regression":
        yield Problem(place, "only binary decisions have a threshold", "kind: regression", "kind: binary")
    elif bounds is not None and not bounds[0] <= role.positive_at <= bounds[1]:
        hint = (
            ""
            if role.score.range
            else "a score that is no probability states its range: score: {path: ..., range: [300, 850]}"
        )
        expected = f"a number in the range of the score, [{bounds[0]:g}, {bounds[1]:g}]"
        yield Problem(place, "outside the range of the score", f"{role.positive_at:g}", expected, hint)


def _score(score: FieldSettings, path: Path) -> Iterator[Problem]:
    if score.kind not in (None, "number"):
        yield Problem((*path, "kind"), "a score is a number", f"kind: {score.kind}", "kind: number, or none stated")
    elif score.show:
        yield Problem((*path, "show"), "only categories can be shown", "a score", "no 'show' here")
    else:
        yield from _field(score, path)
