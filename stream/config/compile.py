"""From the configuration file to the plan: every default filled in, every shorthand written out, no secret, a fixed
order.

The order of models, streams, fields and conditions is by name, so a file that is only rearranged has the same hash.
Addresses (brokers, web) and the start position stay outside the plan: they change no count and no decision.
"""

from __future__ import annotations

from stream.config.models import Features, FieldSettings, Model, Outcomes, Predictions, Role, Settings
from stream.plan import Field, ModelPlan, Plan, StreamPlan


def compile_plan(settings: Settings) -> Plan:
    """Return the plan of a configuration that `stream.config.settings.load` accepted."""
    models = sorted(settings.models.items())
    return Plan(
        app=settings.app,
        streams=tuple(
            _stream(settings, name, kind, role) for name, model in models for kind, role in model.roles.items()
        ),
        models=tuple(_model(name, model) for name, model in models),
        pane_ms=settings.pane,
        max_future_ms=settings.max_future,
        timezone=settings.timezone,
        hash_key_id=settings.key.id,
        false_alarms=settings.false_alarms,
        holidays=tuple(sorted(set(settings.holidays))),
        warm_up_ms=settings.warm_up,
    )


def _model(name: str, model: Model) -> ModelPlan:
    cost = {} if model.cost is None else model.cost.model_dump()
    return ModelPlan(name, model.owner, model.decision, model.when_wrong, cost, model.runbook, model.weight)


def _stream(settings: Settings, model: str, kind: str, role: Role) -> StreamPlan:
    stream = settings.stream_of(role)
    fields = _fields(role)
    default = ("count" if fields else "watch") if isinstance(role, Features) else "ignore"
    return StreamPlan(
        name=f"{model}.{kind}",
        model=model,
        role=kind,
        topic=stream.topic,
        format=stream.format,
        where=tuple(sorted(stream.where.items())),
        time=None if stream.time is None else stream.time.field,
        time_unit="ms" if stream.time is None else stream.time.unit,
        version=stream.version,
        producer=stream.producer,
        id=role.id if isinstance(role, Predictions | Outcomes) else None,
        fields=fields,
        unlisted=role.unlisted or default,
        silence_ms=stream.silence,
        lateness_ms=settings.lateness if stream.lateness is None else stream.lateness,
        positive_at=role.positive_at if isinstance(role, Predictions) else None,
        detectors=tuple(sorted(set(role.detectors))) if isinstance(role, Features | Predictions) else (),
    )


def _fields(role: Role) -> tuple[Field, ...]:
    """Return the watched fields: the listed ones, or those with a part to play, ``id``, ``score`` and ``label``."""
    if isinstance(role, Features):
        return tuple(_field(name, item) for name, item in sorted(role.fields.items()))
    fields = []
    if isinstance(role, Predictions | Outcomes) and role.id is not None:
        fields.append(Field("id", role.id, kind="id"))
    if isinstance(role, Outcomes) and role.label is not None:
        fields.append(_field("label", role.label))
    if isinstance(role, Predictions) and role.score is not None:
        fields.append(_score(role, role.score))
    return tuple(fields)


def _score(role: Predictions, score: FieldSettings) -> Field:
    """Return the score: a number that the model cannot work without, unless the file says otherwise."""
    required = score.required if "required" in score.model_fields_set else True
    stated = score.model_copy(update={"kind": "number", "required": required, "range": role.score_range})
    return _field("score", stated)


def _field(name: str, item: FieldSettings) -> Field:
    return Field(
        name=name,
        source=item.path or name,
        kind=item.kind,
        required=item.required,
        show=item.show,
        range=None if item.range is None else (float(item.range[0]), float(item.range[1])),
        as_of=item.as_of,
        max_age_ms=item.max_age,
        severity=item.severity,
    )
