"""``streamgauge`` with a decoder that ends the process over a marked record, as running out of memory or a bug in C would."""

from __future__ import annotations

import os
import sys
from typing import Any

from stream import cli
from stream.reading.decoders import DECODERS, JsonDecoder

MARK = b"deadly"
CODE = 137
"""What a shell says of a process that was killed with -9."""


class Deadly(JsonDecoder):
    """Dies over a value with the mark in it, wherever in a chunk it stands."""

    def __call__(self, values: list[bytes | None]) -> list[Any]:
        if any(MARK in value for value in values if value):
            os._exit(CODE)
        return super().__call__(values)


if __name__ == "__main__":
    DECODERS["json"] = Deadly
    sys.exit(cli.main())
