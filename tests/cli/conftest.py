"""The command, called in this process, and configuration files for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stream.cli import main
from tests.brokers.admin import unique

TEMPLATE = """\
app: {app}
kafka: {{brokers: "{brokers}"}}
models:
  fraud:
    owner: payments-ml
    decision: hold a card payment for review
    when_wrong: rules engine v3 decides
    features:
      topic: {app}-features
      time: {{field: ts, unit: ms}}
      version: "header:mv"
      where: {{type: payment}}
      fields:
        amount: {{path: tx.amount, required: true}}
        country: {{kind: category}}
    predictions: {{topic: {app}-predictions, id: request_id, score: score, positive_at: 0.8}}
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Configuration:
    """A configuration file of an application of its own."""

    file: Path
    app: str

    @property
    def features(self) -> str:
        return f"{self.app}-features"

    @property
    def predictions(self) -> str:
        return f"{self.app}-predictions"

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))


Command = Callable[..., Ended]
Configure = Callable[[str], Configuration]


@pytest.fixture
def streamgauge(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Call ``streamgauge`` with arguments."""
    client = logging.getLogger("aiokafka")
    level = client.level

    def call(*arguments: object) -> Ended:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    yield call
    client.setLevel(level)


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Write a configuration file for a cluster."""

    def write(brokers: str) -> Configuration:
        app = unique("cli")
        file = tmp_path / f"{app}.yaml"
        file.write_text(TEMPLATE.format(app=app, brokers=brokers))
        return Configuration(file, app)

    return write
