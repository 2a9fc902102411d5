"""Learning, as pure functions: bin edges and categories from a sketch, the reference from panes.

Neither needs a value of a single record: the sketch holds rounded numbers and keyed hashes with their counts, the panes
hold counts. Learning the reference runs in a subprocess (`stream.learning_process`), so a slow fit never delays a judge.

What "enough" means: edges after 10,000 records, or after a day with at least 500; the first reference after 200 coarse panes with
10,000 values of a field that span the time stated as ``warm_up``, a day. From then on `stream.recalibrate` learns every night.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.histogram import distance, smoothed
from stream.layout import BINS, BUCKETS, TOP, Bins, Section
from stream.plan import Field
from stream.reading.sketch import Sketch
from stream.reading.tables import EXACT

MIN_RECORDS = 10_000
MIN_RECORDS_OF_A_DAY = 500
MIN_PANES = 200
MIN_VALUES = 10_000
MIN_N = 30
MIN_SHARE = 0.001
"""Floor of a reference share: one value in a bin that was empty must count, but not more than a thousandfold."""
EDGES = BINS - 1
_OUTER = 2.0**-9
"""Relative margin around the smallest and largest value: the sketch rounds numbers to 10 bits of mantissa."""


def enough_for_edges(records: int, span_ms: int) -> bool:
    """Return whether a sketch over ``records`` records spread over ``span_ms`` of event time may be learned from."""
    return records >= MIN_RECORDS or (span_ms >= 86_400_000 and records >= MIN_RECORDS_OF_A_DAY)


def learn_section(section: Section, sketch: Sketch) -> Section:
    """Return the section with bins for every field that has useful ones. Declared kinds win over what the values say.

    Fields that have bins keep them: new edges would end the comparison with their reference.
    """
    bins = tuple(
        old or _bins(field, row, sketch)
        for row, (field, old) in enumerate(zip(section.fields, section.bins, strict=True))
    )
    return section.replace(bins=bins, learned=True)


def _bins(field: Field, row: int, sketch: Sketch) -> Bins | None:
    values, counts = sketch.numbers(row)
    _, strings, saturated = sketch.strings(row)
    false, true = sketch.bools(row)
    amount = {"number": int(counts.sum()), "category": int(strings.sum()), "bool": false + true}
    kind = field.kind or max(amount, key=lambda name: amount[name])
    if amount.get(kind, 0) == 0:
        kind = "code" if kind == "category" and amount["number"] else kind
        if kind != "code":
            return None
    if kind == "bool":
        return Bins("bool", _floats(), _ints(), _ints())
    if kind == "category" and not (field.kind is None and saturated):
        return _categories(row, sketch)
    if kind == "code" or (kind == "number" and field.kind is None and field.range is None and _are_codes(sketch, row)):
        return _codes(field, row, sketch)
    return Bins("number", numeric_edges(values, counts), _ints(), _ints()) if kind == "number" else None


def _are_codes(sketch: Sketch, row: int) -> bool:
    """Integers with few different values are codes or small counts: each gets its own bin, which quantiles would blur.

    Codes with many values (postal codes, merchant numbers) stay numeric on purpose: equal-mass bins over them still see
    the mix change, and a table of thousands would not be bounded. Sent as strings they are categories.
    """
    return not sketch.codes(row)[-1]


def numeric_edges(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return at most 35 edges: minimum, 0.001, 1/32 .. 31/32 and 0.999 quantiles, maximum (detection by fixed quantiles).

    Equal edges collapse. A value that holds at least 2/32 of the mass gets a bin of its own.

    Args:
        values: float64[V], distinct, ascending. counts: int64[V].
    """
    mass = np.cumsum(counts) / counts.sum()
    probabilities = np.concatenate([[0.001], np.arange(1, 32) / 32, [0.999]])
    inner = values[np.searchsorted(mass, probabilities)]
    heavy = np.flatnonzero(counts >= 2 / 32 * counts.sum())
    after = values[np.minimum(heavy + 1, len(values) - 1)]
    low = values[0] - max(abs(values[0]) * _OUTER, np.finfo(float).tiny)
    high = values[-1] + max(abs(values[-1]) * _OUTER, np.finfo(float).tiny)
    edges = np.unique(np.concatenate([[low], inner, values[heavy], after, [high]]))
    while len(edges) > EDGES:
        edges = np.delete(edges, 1 + int(np.argmin(np.diff(edges[1:-1]))))
    return edges


def _categories(row: int, sketch: Sketch) -> Bins:
    hashes, counts, _ = sketch.strings(row)
    order = np.lexsort((hashes, -counts))
    shown = sketch.shown(row)
    names = [shown.get(key, "") for key in hashes[order[:TOP]].tolist()]
    return _known("category", hashes, order, names)


def _codes(field: Field, row: int, sketch: Sketch) -> Bins:
    """Codes are categories whose top values stand in the order of their numbers, so that a level can be told (`location`)."""
    hashes, counts, numbers, _ = sketch.codes(row)
    order = np.lexsort((hashes, -counts))
    top = order[:TOP]
    order[:TOP] = top[np.lexsort((hashes[top], numbers[top]))]
    names = [_name(number, field.show) for number in numbers[order[:TOP]].tolist()]
    return _known("code", hashes, order, names)


def _known(kind: str, hashes: NDArray[np.int64], order: NDArray[np.int64], names: list[str]) -> Bins:
    """Return bins for known values: the first in ``order`` get one each, the rest share the buckets."""
    bin = np.empty(len(hashes), np.int64)
    bin[order[:TOP]] = np.arange(min(TOP, len(hashes)))
    rest = order[TOP:]
    bin[rest] = TOP + hashes[rest] % BUCKETS
    return Bins(kind, _floats(), hashes, bin, (*names, *[""] * (BINS - len(names))))


def _name(number: float, exact: bool) -> str:
    """Return what may be said of a code.

    >>> _name(3.0, False), _name(10000.0, False), _name(10001.0, True)
    ('3', 'about 10000', '10001')
    """
    text = f"{number:.15g}"
    return text if exact or (number.is_integer() and abs(number) <= EXACT) else f"about {text}"


def learn_reference(fields: tuple[str, ...], panes: NDArray[np.int64]) -> dict[str, Any]:
    """Return what each field looks like, from coarse panes.

    Args:
        fields: names, F of them.
        panes: int64[P, F, 36] bin counts; rows with fewer than 30 values are left out.

    Returns:
        ``fields``; ``values`` int64[F]; ``shares`` float64[F, 36] (smoothed; NaN where a field has not enough); ``farthest``
        float64[F], the largest distance of a pane from them.
    """
    totals = panes.sum(axis=0)
    used = panes.sum(axis=2) >= MIN_N
    ready = (used.sum(axis=0) >= MIN_PANES) & (totals.sum(axis=1) >= MIN_VALUES)
    shares = basis(totals)
    farthest = np.full(len(fields), np.nan)
    for row in np.flatnonzero(ready):
        counts = panes[used[:, row], row]
        farthest[row] = distance(counts, np.broadcast_to(shares[row], counts.shape)).max()
    shares[~ready] = np.nan
    return {"fields": list(fields), "values": totals.sum(axis=1), "shares": shares, "farthest": farthest}


def basis(totals: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return reference shares float64[F, 36] of bin counts, all of them > 0."""
    return np.maximum(smoothed(totals), MIN_SHARE)


def learn_references(lesson: dict[str, Any]) -> dict[str, Any]:
    """Return the reference of each stream of a lesson {stream: {fields, bins, panes}}; ``bins`` are the ids of the bins."""
    return {
        name: {**learn_reference(tuple(item["fields"]), item["panes"]), "bins": item["bins"]}
        for name, item in lesson.items()
    }


def _floats() -> NDArray[np.float64]:
    return np.empty(0)


def _ints() -> NDArray[np.int64]:
    return np.empty(0, np.int64)
