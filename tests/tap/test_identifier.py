"""A field that names single records: presence and type are counted, no value of it leaves the process."""

from __future__ import annotations

import numpy as np

from stream import counts as c
from stream.layout import Section
from stream.plan import Field, StreamPlan
from stream.reading.columns import Records
from stream.reading.fold import SectionFold
from stream.reading.sketch import Sketch


def test_an_id_is_counted_by_type_alone() -> None:
    """Neither the sketch nor the counts hold a value or its hash."""
    fields = (Field("id", "id", kind="id"),)
    plan = StreamPlan("m.predictions", "m", "predictions", "t", fields=fields)
    section = Section(plan.name, fields, (None,), False, (), (), 1)
    records = Records([{"id": 17}, {"id": "a"}, {"id": None}, {}], [0, 1, 2, 3], [0] * 4, [None] * 4, [()] * 4)
    sketch = Sketch.empty(fields)
    unknown = np.full(1, c.NO_EXAMPLE)
    got = SectionFold(plan, section, b"key").count(records, np.zeros(4, np.int64), unknown, 0, sketch)
    assert got.types[0].tolist() == [1, 1, 0, 1, 1, 0, 0]
    assert (got.only[0], got.bins.sum()) == (c.NO_NUMBER, 0)
    assert sketch.size == 0
