"""Sentences for people at 3 a.m.: plain words, the user's names, both numbers, no value of a single record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """Attributes: subject: field or stream. value, threshold: what was compared. n: records or values behind it. extra:
    what only one check knows, already in words.
    """

    subject: str
    value: float
    threshold: float
    n: int
    extra: str = ""


def percent(share: float) -> str:
    """Return a share as a percentage a person reads at a glance.

    >>> percent(0.3412), percent(0.00042), percent(1.0)
    ('34 %', '0.042 %', '100 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def span(ms: float) -> str:
    """Return a duration in the largest unit that keeps it readable.

    >>> span(900), span(75_000), span(7_200_000)
    ('0.9 s', '75 s', '120 min')
    """
    seconds = ms / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3 * 3600 else f"{seconds / 3600:.0f} h"


def sentence(reason: str, facts: Facts) -> str:
    """Return the sentence of a named reason."""
    return _SENTENCES[reason](facts)


def _shares(what: str) -> Callable[[Facts], str]:
    return lambda f: f"{percent(f.value)} of {f.n} {what}; the limit is {percent(f.threshold)}{f.extra}"


def _evidence(f: Facts) -> str:
    return f"{f.extra}; evidence {f.value:.1f}, limit {f.threshold:.1f}"


_SENTENCES: dict[str, Callable[[Facts], str]] = {
    "all_missing": lambda f: f"{f.subject} has no usable value in any of {f.n} records{f.extra}",
    "missing_share": lambda f: f"{f.subject} has no usable value in " + _shares("records")(f),
    "removed": lambda f: f"{f.subject} is gone: none of {f.n} records carries it{f.extra}",
    "added": lambda f: f"a new field {f.subject} appeared in {f.n} records{f.extra}",
    "retyped": lambda f: f"{f.subject} changed its type in " + _shares("values")(f),
    "out_of_range": lambda f: f"{f.subject} is outside its stated range in " + _shares("values")(f),
    "constant": lambda f: f"{f.subject} stopped varying: all {f.n} values are equal",
    "stuck": lambda f: f"{f.subject} repeats exactly the same values pane after pane ({f.n} values)",
    "stale_values": lambda f: f"{f.subject} is older than its stated maximum age in " + _shares("values")(f),
    "stale": lambda f: f"the newest event of {f.subject} is {span(f.value)} old; the limit is {span(f.threshold)}",
    "silent": lambda f: f"{f.subject} has sent nothing for {span(f.value)}; the limit is {span(f.threshold)}{f.extra}",
    "dropped": lambda f: f"{f.subject} fell to {f.value:.0f} records in a pane; the lower limit is {f.threshold:.0f}",
    "burst": lambda f: f"{f.subject} rose to {f.value:.0f} records in a pane; the upper limit is {f.threshold:.0f}",
    "rejected": lambda f: f"{f.subject}: {percent(f.value)} of {f.n} records could not be read{f.extra}",
    "late": lambda f: f"{f.subject}: {percent(f.value)} of {f.n} records came too late to be counted{f.extra}",
    "lost": lambda f: f"{f.subject}: retention deleted {f.n} records before they were read{f.extra}",
    "skipped": lambda f: f"{f.subject}: an operator moved the monitor past {f.n} records{f.extra}",
    "read_again": lambda f: f"{f.subject}: an operator moved the monitor back by {f.n} records{f.extra}",
    "blind": lambda f: f"the monitor was blind{f.extra}; {f.n} records were counted and not judged",
    "poison": lambda f: f"a record ended every worker that read it and was set aside{f.extra}",
    "recreated": lambda f: f"{f.subject}: the topic was deleted and created again{f.extra}",
    "distribution": lambda f: (
        f"{f.subject} is distributed differently: divergence {f.value:.2f} over {f.n} values; "
        f"the limit is {f.threshold:.2f}{f.extra}"
    ),
    "location": lambda f: f"the level of {f.subject} has moved{_evidence(f)}",
    "scale": lambda f: f"the spread of {f.subject} has changed{_evidence(f)}",
    "shape": lambda f: f"the shape of {f.subject} has changed{_evidence(f)}",
    "tail": lambda f: f"the extremes of {f.subject} have changed{_evidence(f)}",
    "share": lambda f: f"the mix of {f.subject} has changed{_evidence(f)}",
    "other": lambda f: f"the mix of {f.subject} has changed{_evidence(f)}",
    "unseen": lambda f: f"{f.subject} has values that the reference did not have{_evidence(f)}",
    "missing": lambda f: f"the share of records without {f.subject} has changed{_evidence(f)}",
    "disarmed": lambda f: (
        f"rules that the history of the stream would have set off more often than false alarms may come were disarmed{f.extra}"
    ),
    "selected": lambda f: f"{f.subject} has changed, says a detector that was selected: {f.value:.3g}{f.extra}",
    "new_version": lambda f: f"model version {f.subject} appeared in {f.n} records",
    "new_configuration": lambda f: f"another configuration is in force{f.extra}",
    "score_shift": lambda f: (
        f"model version {f.subject} scores differently from the others: divergence {f.value:.2f}; the limit is {f.threshold:.2f}"
    ),
}
REASONS = frozenset(_SENTENCES)
