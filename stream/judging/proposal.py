"""What the judge wants in force. It only proposes: the host stores the blob and writes the note, and the note changes a count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stream.codec import digest


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something to bring into force: ``what`` is ``layout`` or ``reference``, ``tree`` its blob."""

    what: str
    tree: dict[str, Any]
    parent: str | None

    @property
    def new(self) -> str:
        return digest(self.tree)
