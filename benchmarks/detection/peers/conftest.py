"""The scripts of the peers import what only their own environments hold."""

from __future__ import annotations

collect_ignore = ["apps"]
