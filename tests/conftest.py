"""Brokers for every test, and the promise that a skip is never silent.

``broker`` is Apache Kafka, or the embedded broker where Java or Maven is absent (the header says so); ``kafka`` is Apache
Kafka or a skip that names what is missing. With STREAMGAUGE_NO_SKIP=1 every skip is a failure, so that continuous
integration installs everything.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TypeVar

import pytest

from stream.demo.broker import EmbeddedBroker
from tests.brokers.kafka import Kafka, lacking


def pytest_report_header() -> str:
    """Say which broker the tests will use."""
    missing = lacking()
    return f"broker: {Kafka.kind if not missing else f'{EmbeddedBroker.kind}, because {missing}'}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test into a failure where skips are not allowed."""
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole file into a failure where skips are not allowed."""
    return refuse_skip((yield))


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def refuse_skip(report: Report) -> Report:
    """Return the report, as a failure if it is a skip and STREAMGAUGE_NO_SKIP is 1. An expected failure is no skip."""
    if report.skipped and os.environ.get("STREAMGAUGE_NO_SKIP") == "1" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"{report.nodeid} was skipped, which is not allowed here: {reason}"
    return report


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One node of Apache Kafka for the whole session. Tests that kill it start one of their own."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")
    node = Kafka()
    try:
        yield node.start()
    finally:
        node.stop()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Kafka | EmbeddedBroker]:
    """The broker of this machine: Apache Kafka if it can run, else the embedded one."""
    if not lacking():
        yield request.getfixturevalue("kafka")
        return
    embedded = EmbeddedBroker()
    try:
        yield embedded.start()
    finally:
        embedded.stop()
