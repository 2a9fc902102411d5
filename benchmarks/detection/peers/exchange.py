"""What every peer sees: the rows of one permutation in one file.

Peers get the calendar taken out and every pane scaled by the product's own baseline: that is the hardest part of the work, and
without it all of them alarm every day. The raw contrasts are there too, for what a user gets who does not do that.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.null import Environment, Split
from benchmarks.detection.steps import Steps
from detectors.base import Floats, Ints
from detectors.risk_control import Normaliser

Rows = dict[str, NDArray[Any]]


def rows(environment: Environment, part: Split, steps: Steps, unit: Floats) -> Rows:
    """Return what peers see of K streams and I injections; nan where a pane has no value.

    Args:
        unit: float64[K], the standard deviation that sizes of steps are counted in.

    Returns:
        reference float32[Tref, K], monitored float32[Tmon, K]: calendar taken out, scaled by the reference, not clipped.
        raw_reference, raw_monitored: the contrasts as they are.
        injected, raw_injected float32[Tmon, I]: the monitored series of ``stream`` int64[I], from pane ``onset`` int64[I] on
        moved by ``size`` float64[I] units. pane_ms: int64.
    """
    series, learned = environment.series, part.learned.baseline
    before, after = series.take(part.reference), series.take(part.monitored)
    stream = steps.stream
    moved = steps.added_to(after.x, unit)
    found = {
        "reference": learned.standardised(before.x, before.n, before.groups, before.slots),
        "monitored": learned.standardised(after.x, after.n, after.groups, after.slots),
        "injected": learned.take(stream).standardised(moved, after.n[:, stream], after.groups, after.slots),
        "raw_reference": before.x,
        "raw_monitored": after.x,
        "raw_injected": moved,
    }
    narrow: Rows = {name: values.astype(np.float32) for name, values in found.items()}
    pane_ms = np.array(series.pane_ms, np.int64)
    return narrow | {"onset": steps.onset, "stream": stream, "size": steps.size, "pane_ms": pane_ms}


def narrowed(environment: Environment, part: Split, streams: Ints) -> tuple[Environment, Split]:
    """Return some streams alone, for a peer that is too slow for all; everything learned of them stays as it is."""
    series, learned = environment.series, part.learned
    few = replace(
        environment,
        series=replace(series, x=series.x[:, streams], n=series.n[:, streams]),
        names=tuple(environment.names[stream] for stream in streams),
        family=environment.family[streams],
    )
    known = replace(
        learned,
        baseline=learned.baseline.take(streams),
        normaliser=Normaliser(learned.normaliser.level[streams], learned.normaliser.scale[streams]),
        scored=learned.scored[:, :, streams],
    )
    return few, replace(part, learned=known)


def write(seen: Rows, folder: Path) -> Path:
    """Write rows to a file named by their digest, unless it is there."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(seen):
        digest.update(name.encode() + str(seen[name].shape).encode() + np.ascontiguousarray(seen[name]).tobytes())
    path = folder / f"rows-{digest.hexdigest()}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part.npz")
        np.savez(scratch, **seen)  # type: ignore[arg-type]  # numpy's stub takes the arrays for its own option
        scratch.replace(path)
    return path
