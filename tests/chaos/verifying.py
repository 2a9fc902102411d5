"""The verifier: reads everything from offset 0, counts again from the side file, and compares with an undisturbed run."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from stream.codec import digest, unpack
from stream.counts import TYPES
from stream.publishing import latest_checkpoint
from tests.broker.traffic import BASE_MS, PANE_MS, SECONDS
from tests.chaos.application import APP, ORDERS, TOPIC_OF
from tests.chaos.client import read_all
from tests.chaos.fold import Accepted
from tests.chaos.oracle import Classified, classify, count
from tests.chaos.producing import Producing

SHOP = "shop.features"
UNTOUCHED = tuple(stream for stream in TOPIC_OF if stream != SHOP)
CAUSED = {"recreate": ("lost", "recreated"), "retention": ("lost", "lost")}
"""What must be said of ``orders`` after a fault that changed it: (check, reason)."""


@dataclass
class Observed:
    """What a run wrote, in a form that can be kept and compared.

    Attributes:
        panes: digest by key. events: by event id, what two runs must agree on. vectors: digest of a stream's detectors.
        letters: keys of the dead letters of the two models. repeated: records written more than once, by topic.
    """

    panes: dict[str, str] = field(default_factory=dict)
    events: dict[str, list[Any]] = field(default_factory=dict)
    vectors: dict[str, str] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    """What is wrong: sentences, and the numbers of the table."""

    problems: list[str] = field(default_factory=list)
    difference: int = 0
    lost: int = 0
    invented: int = 0
    changed: int = 0

    @property
    def exact(self) -> bool:
        return not self.problems

    def expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def verify(
    address: str, producing: Producing, faults: list[str], calm: Observed | None
) -> tuple[Verdict, Observed, Accepted]:
    """Read back a finished run and judge it.

    Args:
        calm: what the undisturbed run wrote; None when this is that run.
    """
    verdict, observed, fold = Verdict(), Observed(), Accepted()
    for record in read_all(address, f"{APP}.ledger"):
        assert record.value is not None
        fold.apply(record.value, record.timestamp)
    verdict.problems += producing.failed + fold.wrong
    verdict.difference = fold.difference()
    verdict.expect(verdict.difference == 0, f"P1: the accounting differs by {verdict.difference}")
    _topics(address, producing, verdict)
    classified = _classes(producing, fold, verdict)
    _panes(address, classified, verdict, observed, whole=not set(faults) & {"recreate", "retention", "add_partitions"})
    _letters(address, classified, verdict, observed)
    events = _events(address, verdict, observed)
    _vectors(address, observed)
    _shop(fold, faults, events, verdict)
    if calm is not None:
        _compare(calm, observed, verdict)
    return verdict, observed, fold


def _topics(address: str, producing: Producing, verdict: Verdict) -> None:
    """The side file is what the topics hold: otherwise the oracle itself would be wrong."""
    for topic in sorted(set(TOPIC_OF.values())):
        for record in read_all(address, topic):
            inc = producing.inc if topic == ORDERS else 0
            noted = producing.side[(topic, record.partition), inc]
            same = noted.get(record.offset, b"?") == record.value and record.headers["seq"] == b"%d" % record.offset
            verdict.expect(same, f"harness: {topic}/{record.partition}/{record.offset} is not what was acknowledged")


def _classes(producing: Producing, fold: Accepted, verdict: Verdict) -> dict[str, list[list[Classified]]]:
    """Recount every partition and incarnation, as far as the ledger covers it, and compare the classes."""
    found: dict[str, list[list[Classified]]] = {stream: [] for stream in TOPIC_OF}
    for stream, topic in TOPIC_OF.items():
        for (key, inc), values in sorted(producing.side.items()):
            if key[0] != topic:
                continue
            gone = [(low, high) for where, at, low, high in fold.lost if (where, at) == (key, inc)]
            end = fold.ends.get((key, inc), 0)
            verdict.expect(
                fold.first.get((key, inc)) == 0,
                f"P2: {key} inc {inc} is counted from offset {fold.first.get((key, inc))}, not 0",
            )
            replaced = topic == ORDERS and inc < producing.inc
            verdict.expect(replaced or end == len(values), f"{key} inc {inc} ends at {end} of {len(values)}")
            kept = [(at, values[at]) for at in sorted(values) if at < end and not any(a <= at < b for a, b in gone)]
            rows = list(classify(stream, kept))
            want, _ = count(stream, rows)
            want["lost"] += sum(high - low for low, high in gone)
            have = fold.classes[stream, key, inc]
            verdict.expect(+have == +want, f"{stream} {key} inc {inc}: ledger {dict(+have)}, side file {dict(+want)}")
            found[stream].append(rows)
    return found


def _panes(
    address: str, classified: dict[str, list[list[Classified]]], verdict: Verdict, observed: Observed, whole: bool
) -> None:
    """Hold every closed pane against the side file, and its repetitions against itself."""
    values: dict[str, bytes] = {}
    repeated = 0
    for record in read_all(address, f"{APP}.panes"):
        assert record.key is not None
        assert record.value is not None
        key = record.key.decode()
        repeated += key in values
        verdict.expect(values.setdefault(key, record.value) == record.value, f"pane {key} has two contents")
    observed.repeated["panes"] = repeated
    for stream, partitions in classified.items():
        want: dict[int, Counter[Any]] = {}
        for rows in partitions:
            for index, counts in count(stream, rows)[1].items():
                want.setdefault(index, Counter()).update(counts)
        closed = {key: unpack(value)[1] for key, value in values.items() if key.rsplit("/", 1)[0] == stream}
        for key, pane in closed.items():
            expected = +want.get(pane["index"], Counter())
            have = counted(pane)
            if stream != SHOP or whole:
                verdict.expect(have == expected, f"pane {key}: {_apart(have, expected)}")
            else:
                verdict.expect(have <= expected, f"pane {key} holds more than the side file: {_apart(have, expected)}")
            verdict.expect(not pane["partial"], f"pane {key} is partial")
        last = BASE_MS // PANE_MS + SECONDS - 1
        missing = [index for index in want if index <= last and f"{stream}/{index}" not in closed]
        if stream != SHOP:
            verdict.expect(not missing, f"{stream}: {len(missing)} panes were not closed, the first is {missing[:1]}")
    observed.panes = {
        key: hashlib.sha256(value).hexdigest()[:16]
        for key, value in sorted(values.items())
        if key.split("/")[0] in UNTOUCHED and int(key.rsplit("/", 1)[1]) < BASE_MS // PANE_MS + SECONDS
    }


def counted(pane: dict[str, Any]) -> Counter[Any]:
    """Return the numbers of a stored pane that the input can be held against."""
    counts = pane["counts"]
    found: Counter[Any] = Counter(
        applied=counts["applied"], late=counts["late"], rejected=sum(counts["rejected"].values())
    )
    for _, group in counts["groups"]:
        for name, types in zip(pane["fields"], group["types"], strict=True):
            found.update({(name, kind): int(n) for kind, n in zip(TYPES, types, strict=True)})
    return +found


def _changes(calm: list[Any], run: list[Any]) -> list[Any]:
    """Return (name, calm, disturbed) of what differs between two shapes."""
    names = [name for name in calm[5] | run[5] if calm[5].get(name) != run[5].get(name)]
    return [(name, calm[5].get(name), run[5].get(name)) for name in names] + (
        [] if calm[6:] == run[6:] else [calm[6:], run[6:]]
    )


def _apart(have: Counter[Any], want: Counter[Any]) -> dict[Any, tuple[int, int]]:
    return {name: (have[name], want[name]) for name in have | want if have[name] != want[name]}


def _letters(address: str, classified: dict[str, list[list[Classified]]], verdict: Verdict, observed: Observed) -> None:
    """Every dead letter references a record that could not be read, by its right reason."""
    kinds = {"late", "applied", "filtered", "tombstones"}
    reasons = {
        (stream, offset, name)
        for stream, partitions in classified.items()
        for rows in partitions
        for offset, name, _, _ in rows
        if name not in kinds
    }
    found: set[str] = set()
    repeated = 0
    for record in read_all(address, f"{APP}.dead-letter"):
        letter = orjson.loads(record.value or b"{}")
        known = (letter["stream"], letter["offset"], letter["reason"]) in reasons
        verdict.expect(known, f"dead letter without a cause: {letter}")
        if letter["stream"] == SHOP:
            continue
        name = f"{letter['stream']}/{letter['topic']}/{letter['partition']}/{letter['offset']}/{letter['reason']}"
        repeated += name in found
        found.add(name)
    observed.letters, observed.repeated["dead-letter"] = sorted(found), repeated


def _events(address: str, verdict: Verdict, observed: Observed) -> list[dict[str, Any]]:
    """Read the alerts; return each event once. What is repeated is the same to the byte."""
    values: dict[str, bytes] = {}
    repeated = 0
    for record in read_all(address, f"{APP}.alerts"):
        if record.headers["ce_type"] == b"io.streamgauge.decision.v1":
            continue  # what a person said; it is no alert
        name = record.headers["ce_id"].decode()
        assert record.value is not None
        repeated += name in values
        verdict.expect(values.setdefault(name, record.value) == record.value, f"event {name} has two contents")
    observed.repeated["alerts"] = repeated
    events = {name: orjson.loads(value) for name, value in values.items()}
    observed.events = {
        name: shape(event) for name, event in sorted(events.items()) if event["labels"]["stream"] in UNTOUCHED
    }
    return list(events.values())


def shape(event: dict[str, Any]) -> list[Any]:
    """Return what two runs must agree on: all of an event but when it was seen (wall clock, watermark) and which
    layout was in force then.

    Another partition of ``orders`` brings a layout of another name into force, and that is all it may change here.
    """
    hidden = ("detectedAt", "eventTime", "layout", "evidence")
    body = {name: value for name, value in event.items() if name not in hidden}
    found = [[item["check"], item["subject"], item["reason"], item["value"]] for item in event["evidence"]["findings"]]
    labels = event["labels"]
    return [labels["stream"], event["check"], labels["subject"], labels["reason"], event["status"], body, found]


def _vectors(address: str, observed: Observed) -> None:
    """Digest the detectors of the newest checkpoint: it is written when the last worker stops."""
    state: dict[str, bytes] = {}
    for record in read_all(address, f"{APP}.state"):
        name = (record.key or b"").decode()
        if record.value is None:
            state.pop(name, None)
        else:
            state[name] = record.value
    checkpoint = latest_checkpoint(state)
    if checkpoint is not None:
        watches = unpack(checkpoint.data)[1]["watches"]
        observed.vectors = {stream: digest(watches[stream]["bank"]) for stream in UNTOUCHED}


def _shop(fold: Accepted, faults: list[str], events: list[dict[str, Any]], verdict: Verdict) -> None:
    """What was done to ``orders`` is said, to the offset; nothing else is said of it."""
    ours = [event for event in events if event["labels"]["stream"] == SHOP]
    said = {
        (found["check"], found["reason"])
        for event in ours
        if event["status"] != "resolved"
        for found in event["evidence"]["findings"]
    }
    wanted = {CAUSED[name] for name in faults if name in CAUSED}
    if not fold.lost:
        wanted.discard(CAUSED["retention"])
    verdict.lost += len(wanted - said)
    verdict.invented += len(said - wanted)
    brief = [[item["status"], item["labels"]["reason"], item["evidence"]["coordinates"]] for item in ours]
    verdict.expect(wanted <= said, f"P4: lost: {sorted(wanted - said)} of {ORDERS}; said was {brief}")
    verdict.expect(said <= wanted, f"P4: invented: {sorted(said - wanted)} of {ORDERS}; said was {brief}")
    places = [
        (place["partition"], place["from"], place["to"])
        for event in ours
        if event["check"] == "lost"
        for place in event["evidence"]["coordinates"]
    ]
    for key, _, low, high in fold.lost:
        named = any(p == key[1] and a <= low and high <= b for p, a, b in places)
        verdict.expect(named, f"P2: no alert names the lost offsets {key} [{low}, {high}); said was {brief}")


def _compare(calm: Observed, run: Observed, verdict: Verdict) -> None:
    """Hold a run against the undisturbed one."""
    gone, new = calm.events.keys() - run.events.keys(), run.events.keys() - calm.events.keys()
    other = {name for name in calm.events.keys() & run.events.keys() if calm.events[name] != run.events[name]}
    verdict.lost += len(gone)
    verdict.invented += len(new)
    verdict.changed += len(other)
    for word, names, where in (("lost", gone, calm), ("invented", new, run)):
        verdict.problems += [f"P4: {word}: {name} {where.events[name][:5]}" for name in sorted(names)]
    for name in sorted(other):
        verdict.problems.append(
            f"P4: changed: {name} {run.events[name][:5]}: {_changes(calm.events[name], run.events[name])}"
        )
    apart = [key for key in calm.panes.keys() | run.panes.keys() if calm.panes.get(key) != run.panes.get(key)]
    verdict.expect(not apart, f"P3: {len(apart)} panes differ from the undisturbed run, such as {sorted(apart)[:3]}")
    verdict.expect(calm.letters == run.letters, "the dead letters differ from the undisturbed run")
    if run.vectors:
        verdict.expect(calm.vectors == run.vectors, "P3: the detectors' state differs from the undisturbed run")
    else:
        verdict.problems.append("no checkpoint was left by the last worker")
