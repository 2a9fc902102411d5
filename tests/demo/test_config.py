"""The configuration that the demo writes is one that the monitor takes."""

from __future__ import annotations

from pathlib import Path

from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.demo import config
from stream.demo.timeline import FEATURES, PANE_MS, STREAMS, Timeline


def test_the_monitor_reads_it_and_watches_what_the_demo_sends(tmp_path: Path, small_timeline: Timeline) -> None:
    file = tmp_path / "streamgauge.yaml"
    file.write_text(config.text("127.0.0.1:9092", 6067, "sg-test"))
    settings = load(file)
    plan = compile_plan(settings)
    assert (settings.start, settings.web.port, plan.app, plan.pane_ms) == ("earliest", 6067, "sg-test", PANE_MS)
    assert {stream.topic: stream.name for stream in plan.streams} == STREAMS
    record = next(small_timeline.between(FEATURES, small_timeline.begin_ms, small_timeline.begin_ms + 10_000))
    assert isinstance(record.value, dict)
    assert {field.name for field in plan.stream(STREAMS[FEATURES]).fields} == record.value.keys()
