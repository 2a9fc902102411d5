"""A version of Faust or aiokafka that is not as we know it is refused at start, in one line that names what is missing."""

from __future__ import annotations

import pytest
from aiokafka.consumer import fetcher
from aiokafka.record import _crecords
from faust.transport.drivers import aiokafka as driver

from stream.kafka import hooks


def test_installed_versions_pass() -> None:
    """The locked versions have every hook."""
    hooks.install()


def test_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version may work, but nobody has looked: say so instead of losing records."""
    monkeypatch.setitem(hooks.KNOWN, "faust-streaming", ("0.99", "1.0"))
    with pytest.raises(hooks.UnknownEngine, match=r"^faust-streaming 0\.15\.\d+ lacks .*faust-streaming >=0\.99,<1\.0"):
        hooks.install()


def test_missing_method_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust calls the method we override; were it renamed, ours would never run."""
    monkeypatch.delattr(driver.AIOKafkaConsumerThread, "_fetch_records")
    with pytest.raises(hooks.UnknownEngine, match=r"^faust-streaming .* lacks AIOKafkaConsumerThread\._fetch_records"):
        hooks.install()


def test_missing_field_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields exist only on instances, so the constructor is asked for them."""

    def renamed(self: object) -> None:
        """A constructor that knows none of the fields."""

    renamed.__module__ = "aiokafka.consumer.fetcher"
    monkeypatch.setattr(hooks, "_FIELDS", ((renamed, ("_records",)),))
    with pytest.raises(hooks.UnknownEngine, match=r"^aiokafka .* lacks the field _records used in .*renamed"):
        hooks.install()


def test_ineffective_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """If aiokafka unpacked through another function, the bound would be silently gone."""
    monkeypatch.setattr("stream.kafka.inflate.record_modules", lambda: [fetcher])
    monkeypatch.setattr(hooks, "record_modules", lambda: [_crecords.default_records])
    with pytest.raises(hooks.UnknownEngine, match="bound decompression"):
        hooks.install()
