"""Who is compared, what each of them computes, and what it keeps when it is killed."""

from __future__ import annotations

from dataclasses import dataclass, replace

COUNTS = "values, missing, min, max of 30 features in 60 s windows"


@dataclass(frozen=True)
class Peer:
    """One row of the page.

    Attributes:
        name: As shown.
        environment: Folder under build/peers and file under requirements.
        script: File under apps.
        variant: Last argument of the script.
        share: Part of the records that it reads; slow ones get fewer.
        computes: What it has done with a record when it is counted as done.
        killed: What becomes of that after kill -9, by its documentation; nothing here was run.
        packages: Whose versions are shown.
        step_ms: Event time between two records: 10 is 100 events per second, 6,000 in a window.
    """

    name: str
    environment: str
    script: str
    variant: str
    share: float
    computes: str
    killed: str
    packages: tuple[str, ...]
    step_ms: int = 10


QUIX_KILLED = (
    "nothing lost; at least once (its default): outputs since the last checkpoint (5 s) come again, state is put back "
    "to the committed offset from the changelog ([checkpointing](https://github.com/quixio/quix-streams/blob/main/docs/advanced/checkpointing.md))"
)
BYTEWAX_KILLED = (
    "as run here (no recovery directory) every open window; with one it resumes at the last snapshot and outputs may come twice "
    "([recovery](https://github.com/bytewax/bytewax/blob/main/docs/guide/concepts/recovery.md)); snapshots "
    "were not switched on, so they cost nothing here"
)
WHYLOGS_KILLED = (
    "the profiles not yet written, with its rolling logger up to one interval: it writes on a timer and at exit "
    "(`whylogs/api/logger/rolling.py`)"
)

STREAMGAUGE = Peer(
    "Streamgauge",
    "",
    "",
    "",
    1.0,
    "types, missing, min, max and 60 s histograms of 32 fields, all detectors, learned reference, incidents, alerts, ledger "
    "written and read back",
    "nothing: every offset is in exactly one entry ([DESIGN.md](../DESIGN.md)); this was run: `make test-all`",
    ("faust-streaming", "aiokafka", "orjson", "msgspec", "numpy", "river"),
)
# What it counts is put down by partition and pane, so that the fewer records a pane has, the dearer each is.
SPARSE = replace(STREAMGAUGE, name="Streamgauge, 1,500 in a window", step_ms=40, killed="as above")
BARE = Peer(
    "bare loop",
    "whylogs",
    "bare.py",
    "",
    1.0,
    "nothing: `getmany`, `orjson.loads`, checksums",
    "there is nothing to lose",
    ("aiokafka", "orjson"),
)
OURS = (STREAMGAUGE, SPARSE)
PEERS = [
    *OURS,
    Peer(
        "Bytewax, batches folded by hand",
        "bytewax",
        "bytewax_windows.py",
        "batched",
        1.0,
        COUNTS + "; plain Python folds each batch, the window operator adds up the parts",
        BYTEWAX_KILLED,
        ("bytewax", "confluent-kafka", "orjson"),
    ),
    Peer(
        "Bytewax, fold_window",
        "bytewax",
        "bytewax_windows.py",
        "fold",
        1.0,
        COUNTS,
        "as above",
        ("bytewax", "confluent-kafka", "orjson"),
    ),
    Peer(
        "Pathway",
        "pathway",
        "pathway_windows.py",
        "streaming",
        1.0,
        COUNTS + ", in its own engine",
        "as run here (no persistence) all state; from Kafka it goes on at the group's committed offsets (a second start with the "
        "same `group.id` read nothing here), so open windows would be short. With persistence it resumes "
        "([persistence](https://pathway.com/developers/user-guide/concepts/persistence)), which was not switched on",
        ("pathway",),
    ),
    Peer(
        "Quix Streams, reduce",
        "quixstreams",
        "quix_windows.py",
        "reduce",
        0.3,
        COUNTS + ", by key; state in RocksDB and a changelog topic",
        QUIX_KILLED,
        ("quixstreams", "confluent-kafka", "rocksdict"),
    ),
    Peer(
        "Quix Streams, collect",
        "quixstreams",
        "quix_windows.py",
        "collect",
        0.3,
        COUNTS + ", by key, folded when a window closes; all events in RocksDB and a changelog topic",
        "as above",
        ("quixstreams", "confluent-kafka", "rocksdict"),
    ),
    Peer(
        "whylogs, frames by minute",
        "whylogs",
        "whylogs_profiles.py",
        "frames",
        0.3,
        "profiles by minute: counts, types, min, max, mean, KLL quantiles, HLL, frequent items of 30 columns",
        WHYLOGS_KILLED,
        ("whylogs", "pandas", "numpy"),
    ),
    Peer(
        "whylogs, record by record",
        "whylogs",
        "whylogs_profiles.py",
        "rows",
        0.04,
        "the same profiles, `track(row=...)`",
        "as above",
        ("whylogs", "pandas", "numpy"),
    ),
    Peer(
        "Evidently, one frame",
        "evidently",
        "evidently_frames.py",
        "",
        1.0,
        "`DataDriftPreset` of 30 columns, on one frame of all these records (an hour's, if so many came in an hour), against a "
        "reference frame of the same size",
        "it has no process of its own: the frame being gathered, unless your code keeps it",
        ("evidently", "pandas", "numpy"),
    ),
    Peer(
        "Faust agent, nothing in it",
        "faust",
        "faust_adwin.py",
        "empty",
        0.1,
        "nothing: JSON decoded, acknowledged, offsets committed",
        "there is nothing to lose",
        ("faust-streaming", "aiokafka", "orjson"),
    ),
    Peer(
        "Faust agent and river ADWIN",
        "faust",
        "faust_adwin.py",
        "adwin",
        0.1,
        "30 ADWIN detectors, updated with every event",
        "all detectors start anew: their state is in memory only. In a Faust table, counts differ after kill -9 "
        "(`python -m tests.chaos.stock` shows how far)",
        ("faust-streaming", "aiokafka", "river"),
    ),
]
