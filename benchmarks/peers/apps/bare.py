"""The yardstick: aiokafka's ``getmany`` and ``orjson.loads``, checksums checked, nothing computed."""

from __future__ import annotations

import asyncio

import orjson
from meter import Meter, arguments
from reading import batches


async def main() -> None:
    brokers, topic, total = arguments()
    meter = Meter(total)
    meter.begin()
    async for records in batches(brokers, topic):
        for record in records:
            orjson.loads(record.value)
        if meter.add(len(records)):
            meter.finish()


if __name__ == "__main__":
    asyncio.run(main())
