"""Who is compared, and what each of them is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """One row of the table.

    Attributes:
        name: as shown. environment: file under requirements, here or in benchmarks/peers; "": our own interpreter.
        script: file under apps. variant: its last argument; with ``/raw`` it sees contrasts as they are.
        setting: what its grid is over. packages: whose versions are shown.
        streams, permutations: so many only, since it is slow; 0: all. Fewer streams alarm less often, so at the same rate
            such a peer is judged too kindly.
    """

    name: str
    environment: str
    script: str
    variant: str
    setting: str
    packages: tuple[str, ...] = ("numpy",)
    streams: int = 0
    permutations: int = 0

    @property
    def sees(self) -> str:
        if self.variant.endswith("/raw"):
            return "pane contrasts as they are"
        clipped = ", clipped at 2.5" if self.variant.startswith("clipped_") else ""
        return f"pane contrasts, calendar taken out, scaled by the reference{clipped}"


RIVER, FROUROS, EVIDENTLY = ("river", "numpy"), ("frouros", "numpy"), ("evidently", "numpy")

PEERS = (
    Peer("always in alarm", "", "naive.py", "always", "-"),
    Peer("never in alarm", "", "naive.py", "never", "-"),
    Peer("daily mean", "", "naive.py", "daily_mean", "z"),
    Peer("daily mean, raw", "", "naive.py", "daily_mean/raw", "z"),
    Peer("mean of the last 24 h", "", "naive.py", "trailing_mean", "z"),
    Peer("textbook CUSUM", "", "naive.py", "cusum", "h at k = .5"),
    Peer("daily mean, clipped", "", "naive.py", "clipped_daily_mean", "z"),
    Peer("mean of the last 24 h, clipped", "", "naive.py", "clipped_trailing_mean", "z"),
    Peer("textbook CUSUM, clipped", "", "naive.py", "clipped_cusum", "h at k = .5"),
    Peer("river ADWIN", "river", "river_detectors.py", "adwin", "delta", RIVER),
    Peer("river ADWIN, raw", "river", "river_detectors.py", "adwin/raw", "delta", RIVER),
    Peer("river PageHinkley", "river", "river_detectors.py", "page_hinkley", "threshold", RIVER),
    Peer("river KSWIN", "river", "river_detectors.py", "kswin", "alpha", RIVER, streams=20, permutations=2),
    Peer("frouros CUSUM", "frouros", "frouros_detectors.py", "cusum", "lambda", FROUROS, permutations=2),
    Peer("frouros GeometricMovingAverage", "frouros", "frouros_detectors.py", "gma", "lambda", FROUROS, permutations=2),
    Peer("frouros KSTest, daily", "frouros", "frouros_detectors.py", "ks", "p", FROUROS),
    Peer(
        "alibi-detect CVMDriftOnline",
        "alibi",
        "alibi_online.py",
        "cvm",
        "multiple of its thresholds",
        ("alibi-detect", "numpy"),
        streams=20,
        permutations=2,
    ),
    Peer("evidently Wasserstein, daily", "evidently", "evidently_days.py", "wasserstein", "distance", EVIDENTLY),
    Peer("evidently K-S, daily", "evidently", "evidently_days.py", "ks", "p", EVIDENTLY),
    Peer("evidently preset, daily", "evidently", "evidently_days.py", "preset", "-", EVIDENTLY, permutations=2),
    Peer(
        "evidently preset, daily, raw", "evidently", "evidently_days.py", "preset/raw", "-", EVIDENTLY, permutations=2
    ),
    Peer(
        "nannyml Jensen-Shannon, daily",
        "nannyml",
        "nannyml_chunks.py",
        "jensen_shannon",
        "standard deviations",
        ("nannyml", "numpy"),
        permutations=2,
    ),
    Peer("whylogs K-S, daily", "whylogs_viz", "whylogs_profiles.py", "ks", "p", ("whylogs", "numpy"), permutations=2),
)
