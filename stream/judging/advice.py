"""What a person at 3 a.m. should do first, and the words of a page. Plain; never a value of a single record."""

from __future__ import annotations

from stream.judging.findings import Finding
from stream.judging.incident import Incident
from stream.plan import ModelPlan

MAX_TEXT = 400
"""Characters of one sentence: names come from other people's records."""

NEW = "New evidence:"
"""How the reason of an update begins that has something to add."""

_BY_REASON = {
    "all_missing": "Ask the producer of {stream} why it stopped filling {subject}; the model works without it now.",
    "missing_share": "See which producer or partition lacks {subject} (coordinates below) and ask its owner.",
    "removed": "Ask the producer of {stream} whether it removed or renamed {subject} on purpose; if not, roll back.",
    "added": "If {subject} is meant to be there, list it in the configuration; if not, ask the producer of {stream}.",
    "retyped": "Ask the producer of {stream} which release changed {subject}; roll it back or adapt the model.",
    "out_of_range": "Look at some records (coordinates below): a unit or a default changed, or the stated range is wrong.",
    "constant": "Check the source of {subject}: a default value or a dead sensor gives one value only.",
    "stuck": "Check the source of {subject}: a cache or a job serves the same values again and again.",
    "stale_values": "Check the job that refreshes {subject}; the model decides on old values.",
    "stale": "Check the producer of {stream}: records arrive, but what they describe is old.",
    "silent": "Check that the producer of {stream} runs and can reach Kafka; what the model decides now, nobody sees.",
    "dropped": "Check the producers of {stream} one by one: some have stopped or lose records.",
    "burst": "See whether a producer of {stream} sends again what it had sent before.",
    "rejected": "Look at some of these records (coordinates below) and ask their producer; they are not counted.",
    "late": "If the delay stays, raise `lateness` of {stream} to the value named above; if not, ask its producer.",
    "recreated": "Ask who deleted and created the topic of {stream} again; records in between may be gone.",
    "skipped": "Compare with the reason the operator gave; nothing in these records was judged.",
    "read_again": "Nothing: panes that are closed stay as they are, and the stream is judged again once it has caught up.",
    "blind": "Look at the models' own logs for that time: what went wrong then, nobody has told. "
    "Lengthen the retention of the ledger, or find out why the judge could not go on.",
    "poison": "Look at the record (coordinates below), then report what ends a worker: its log has the last words.",
    "missing": "See which producer of {stream} fills {subject} otherwise than before; streamgauge explain shows since when.",
    "selected": "Look at it beside the contrasts (streamgauge explain): detectors that were selected keep no false-alarm budget.",
    "disarmed": "Nothing, if it has always been so. If not, mend it, and this rule is armed again as the history grows old.",
    "new_version": "Compare with the rollout plan; if nobody meant to deploy it, stop the rollout.",
    "score_shift": "Stop the rollout of {subject}, or go back a version, until somebody has explained its scores.",
    "new_configuration": "Compare with the change you planned; the hash of the configuration is in this event.",
}
_BY_CHECK = {
    "missing": "See which producer fills {subject} and ask its owner.",
    "schema": "Ask the producer of {stream} what changed in its release.",
    "freshness": "Check the producer of {stream} and the monitor's own workers: nothing recent was seen.",
    "volume": "Check the producers of {stream}.",
    "ranges": "Look at some records (coordinates below) and check the source of {subject}.",
    "rejected": "Look at some of these records (coordinates below) and ask their producer.",
    "late": "Ask the producer of {stream} why its records are late.",
    "lost": "Start more workers or lengthen the retention of the topic: it deleted records before they were read.",
    "drift": "Ask whether the world or the pipeline changed: one field points to its source, many to the population. "
    "Do not retrain before that is known.",
    "version": "Compare with the rollout plan of the model.",
}


def first_action(check: str, reason: str, stream: str, subject: str) -> str:
    """Return the first thing to do.

    >>> first_action("volume", "silent", "fraud.predictions", "fraud.predictions")
    'Check that the producer of fraud.predictions runs and can reach Kafka; what the model decides now, nobody sees.'
    """
    return (_BY_REASON.get(reason) or _BY_CHECK[check]).format(stream=stream, subject=short(subject))


def summary(incident: Incident, since: str) -> str:
    """Return the one line that wakes somebody: what, where, since when."""
    text = short(incident.finding.text).rstrip(".")
    if incident.status == "resolved":
        return f"Over: {incident.model}: {incident.check}/{short(incident.subject)}, since {since}"
    return f"{incident.model}: {text}, since {since}{_besides(incident)}"


def _besides(incident: Incident) -> str:
    """Name what is new in an update, where the sentence is of something else: the line is all that many people see."""
    told = f"{incident.finding.check}/{incident.finding.subject}"
    if incident.status != "updated" or not incident.why.startswith(NEW) or told in incident.why:
        return ""
    return "; " + short(incident.why).rstrip(".").replace(NEW, "new:", 1)


def description(incident: Incident, model: ModelPlan | None, since: str, action: str) -> str:
    """Return the page: what happened, since when, how much of it, what it costs, what to do first."""
    why = short(incident.why, 2 * MAX_TEXT)
    lines = [
        f"{why} Alert: {incident.check}/{short(incident.subject)} in {incident.stream}, since {since}.",
        f"What: {sentence(incident.finding.text)}",
        f"Extent: {pattern(incident)}",
    ]
    if model is not None:
        lines.append(f"What is at stake: the model {model.name} decides: {model.decision}. {costs(model)}")
        lines.append(f"If it cannot be trusted: {sentence(model.when_wrong)}")
    if incident.status != "resolved":
        lines.append(f"First: {action}")
    if model is not None:
        lines.append(f"Owner: {model.owner}." + (f" Runbook: {model.runbook}" if model.runbook else ""))
    return "\n".join(lines)


def pattern(incident: Incident) -> str:
    """Say whether one or many things are affected: one points to its source, many to something they share."""
    findings = [member.finding for member in incident.members.values()]
    subjects = sorted({finding.subject for finding in findings if finding.check != "version"} - {incident.stream})
    versions = sorted({finding.subject for finding in findings if finding.check == "version"} - {incident.stream})
    parts = [f"model version {short(version)}" for version in versions[:3]]
    if len(subjects) == 1:
        parts.append(f"one field, {short(subjects[0])}")
    elif subjects:
        more = f" and {len(subjects) - 5} more" if len(subjects) > 5 else ""
        parts.append(f"{len(subjects)} fields at once ({', '.join(map(short, subjects[:5]))}{more})")
    if incident.stream in {finding.subject for finding in findings}:
        parts.append("the whole stream")
    partitions = sorted({partition for finding in findings for partition, _ in finding.evidence.get("examples", ())})
    if len(partitions) == 1:
        parts.append(f"the examples lie in partition {partitions[0]}")
    elif partitions:
        parts.append(f"the examples lie in {len(partitions)} partitions")
    parts += groups(findings)
    return sentence("; ".join(parts))


def groups(findings: list[Finding]) -> list[str]:
    """Say whether one producer, one model version, or all of them did it, where the evidence tells them apart."""
    parts = []
    known = [group for finding in findings for group in finding.evidence.get("groups", ())]
    for kind in ("producer", "version"):
        seen = {group[kind] for group in known} - {"*"}
        guilty = {group[kind] for group in known if group["share"] >= 0.5} - {"*"}
        if guilty and guilty < seen:
            parts.append(f"only from {kind} {', '.join(map(short, sorted(guilty)))}")
        elif len(guilty) > 1:
            parts.append(f"from all {len(guilty)} {kind}s")
    return parts


def costs(model: ModelPlan) -> str:
    """Return what one wrong decision costs.

    >>> costs(ModelPlan("fraud", "ml", "hold a payment", "rules", {"false_positive": 4, "currency": "EUR"}))
    'One false positive costs 4 EUR.'
    """
    currency = model.cost.get("currency", "")
    parts = []
    for kind in ("false_positive", "false_negative"):
        price = model.cost.get(kind)
        if isinstance(price, dict):
            parts.append(f"one {kind.replace('_', ' ')} costs what its field {price.get('field')} says, in {currency}")
        elif price is not None:
            parts.append(f"one {kind.replace('_', ' ')} costs {price:.12g} {currency}".rstrip())
    return sentence(", ".join(parts)) if parts else "Its costs are not stated."


def sentence(text: str) -> str:
    """Return a text as a sentence: capital first, full stop last. A name (``dep_delay``) stays as its owner writes it."""
    text = short(text, 2 * MAX_TEXT)
    first = text.partition(" ")[0]
    start = text[:1].upper() if first.isalpha() else text[:1]
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def short(text: str, limit: int = MAX_TEXT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
