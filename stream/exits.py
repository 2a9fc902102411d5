"""Exit codes: the numbers of ``sysexits.h`` where one fits, so that a supervisor can tell "start me again" from "call somebody".

This is the one list. The help of the command prints it, and every refusal carries one of its codes.
"""

from __future__ import annotations

OK = 0
FAILED = 1
NOT_RUN = 2
USAGE = 64
DATA = 65
NO_INPUT = 66
UNAVAILABLE = 69
BUG = 70
CANNOT_WRITE = 73
GONE = 74
TRY_AGAIN = 75
NO_PERMISSION = 77
CONFIGURATION = 78
INTERRUPTED = 130
NO_READER = 141

MEANING = {
    OK: "done; warnings may have been printed",
    FAILED: "replay --fail-on found an alert; demo missed a fault or paged falsely",
    NOT_RUN: "demo: it could not be run",
    USAGE: "the command line is wrong",
    DATA: "a file to replay cannot be understood, or nothing in it could be judged",
    NO_INPUT: "a topic, file or incident does not exist, or the file cannot be opened",
    UNAVAILABLE: "no broker answers; run waits for one",
    BUG: "an error of ours; please report it",
    CANNOT_WRITE: "an output cannot be written, or the disk is full",
    GONE: "our topics no longer hold what is needed to go on",
    TRY_AGAIN: "no progress, or a blocked process: start it again",
    NO_PERMISSION: "a right on the cluster is missing",
    CONFIGURATION: "the configuration file is wrong",
    INTERRUPTED: "interrupted from the keyboard",
    NO_READER: "whoever read the output went away",
}


def table() -> str:
    """Return the list for people, one code on a line."""
    return "\n".join(f"  {code:>3}  {meaning}" for code, meaning in MEANING.items())


class Refusal(Exception):  # noqa: N818 - what a person hears is a refusal, not an error of ours
    """A command cannot do what it was asked to do: one line for a person, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
