"""An alert in the room that one line of a terminal has: the field comes first and stays, and so does the figure."""

from __future__ import annotations

import re
import textwrap

from stream.demo.report import Alert

_PART = re.compile(r"(?=; | \(| over )")
"""Where a sentence of `stream.judging.describe` goes on with less important things: limits, counts, what moved."""


def told(alert: Alert) -> str:
    """Return the summary without what every line of the demo would repeat: its only model, and the time of the onset."""
    model = f"{alert.event['labels']['model']}: "
    return alert.summary.removeprefix(model).rsplit(", since ", 1)[0]


def brief(text: str, room: int) -> str:
    """Return a sentence in at most ``room`` characters.

    Whole parts are left out, the last one first. Where the first part alone is too long, its end is cut; a figure that stands
    there (and the word before it, which says what it is) is kept, and words before it are cut instead.

    >>> brief("dep_delay changed its type in 100 % of 432 values; the limit is 5 % (string 432)", 55)
    'dep_delay changed its type in 100 % of 432 values'
    >>> brief("model version 1.1 scores differently from the others: distance 2.67; the limit is 0.45", 55)
    'model version 1.1 scores differently … distance 2.67'
    """
    parts = _PART.split(text)
    while len(parts) > 1 and len("".join(parts)) > room:
        parts.pop()
    sentence = "".join(parts)
    if len(sentence) <= room:
        return sentence
    *_, unit, last = sentence.split()
    if not any(char.isdigit() for char in last):
        return textwrap.shorten(sentence, room, placeholder=" …")
    figure = f"{unit} {last}"
    return textwrap.shorten(sentence, room - len(figure), placeholder=" … ") + figure
