"""A baseline in a file: one frame with the layout that holds its bins, and the reference."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream.baselines import bins_of, is_reference, summary
from stream.codec import FormatError, pack, unpack
from stream.config.errors import spoken
from stream.exits import CANNOT_WRITE, DATA, NO_INPUT, Refusal
from stream.layout import Layout

KIND = "baseline"


@dataclass(frozen=True)
class Saved:
    """Attributes: layout: with the plan and the bins. reference: learned with them."""

    layout: Layout
    reference: dict[str, Any]


def write(path: Path, saved: Saved) -> None:
    """Write a file, as a whole or not at all.

    Raises:
        Refusal: it cannot be written.
    """
    plan = saved.layout.plan
    header = {"kind": KIND, "app": plan.app, "config": plan.config_hash, "hash_key": plan.hash_key_id}
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_bytes(pack(header, {"layout": saved.layout.to_dict(), "reference": saved.reference}))
        os.replace(new, path)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise Refusal(f"{spoken(path)}: cannot be written: {reason}", CANNOT_WRITE) from None


def read(path: Path) -> Saved:
    """Return what `write` wrote.

    Raises:
        Refusal: it cannot be read, or is something else.
    """
    try:
        frame = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise Refusal(f"{spoken(path)}: cannot be read: {reason}", NO_INPUT) from None
    try:
        header, body = unpack(frame)
        if header.get("kind") != KIND or not is_reference(body["reference"]):
            raise FormatError(f"a frame of kind {header.get('kind')!r}")
        saved = Saved(Layout.from_dict(body["layout"]), body["reference"])
        summary(saved.reference, bins_of([saved.layout]))  # what it says must be there
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        hint = "expected what `streamgauge baseline build` wrote"
        raise Refusal(f"{spoken(path)}: is no baseline: {error}; {hint}", DATA) from None
    return saved
