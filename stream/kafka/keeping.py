"""Whether our topics keep what they must for as long as they must: who creates topics, or changes them, may not know what for.

Limits are learned from nine weeks of coarse panes in ``<app>.panes``, every night anew. A cluster that keeps topics for a week by
default, and a topic that was created by hand, would leave drift `provisional` for ever, and nothing else would say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from detectors.risk_control import DAYS
from stream.config.durations import format_duration
from stream.gathering import DAY_MS
from stream.kafka.cluster import OURS
from stream.recalibrate import LEAST_WEEKS, REACH_DAYS

PANES_DAYS = REACH_DAYS
"""What a night reads: eight weeks that teach, and the newest one, which does not."""

LEAST_DAYS = DAYS * (LEAST_WEEKS + 1)
"""Of fewer, no limits are calibrated at all: four weeks, and the newest one."""

Settings = Mapping[str, Mapping[str, str]]
"""Settings by topic."""


def too_little(app: str, found: Settings) -> Iterator[tuple[str, str]]:
    """Yield (topic, what is wrong) for each setting with which a topic of ours loses what is needed.

    Args:
        found: settings of those of our topics that may be seen.
    """
    for suffix, wanted in OURS.items():
        topic, policy = f"{app}.{suffix}", wanted["cleanup.policy"]
        is_so = found.get(topic, {}).get("cleanup.policy", policy)
        if is_so != policy:
            yield topic, f"cleanup.policy is {is_so}, and must be {policy}"
    topic = f"{app}.panes"
    panes = found.get(topic, {})
    kept, size = (_number(panes.get(name)) for name in ("retention.ms", "retention.bytes"))
    if 0 <= kept < PANES_DAYS * DAY_MS:
        found_ms = f"it keeps {format_duration(kept)} (retention.ms), and needs {PANES_DAYS}d"
        yield topic, f"{found_ms}: every night limits are learned from nine weeks of it{_harm(kept)}"
    if size >= 0:
        found_bytes = f"it keeps {size:,} bytes at most (retention.bytes), however young they are"
        yield topic, f"{found_bytes}, and needs {PANES_DAYS}d: state -1"


def _number(said: str | None) -> int:
    """Return a setting as a number; -1, which is Kafka's word for no limit, where it has none."""
    try:
        return int(said or -1)
    except ValueError:
        return -1


def _harm(kept_ms: int) -> str:
    if kept_ms < LEAST_DAYS * DAY_MS:
        return f", and from less than {LEAST_DAYS}d none are calibrated, so drift stays provisional for ever"
    return ", and with a budget below 1 in two weeks drift may stay provisional for ever"


def repairs(app: str, found: Settings) -> Iterator[tuple[str, str]]:
    """Yield (topic, settings to add) for those of our topics of which `too_little` speaks: as we would create them."""
    wrong = {topic for topic, _ in too_little(app, found)}
    for suffix, wanted in OURS.items():
        if f"{app}.{suffix}" in wrong:
            more = {"retention.bytes": "-1"} if suffix == "panes" else {}
            yield f"{app}.{suffix}", ",".join(f"{name}={value}" for name, value in (wanted | more).items())
