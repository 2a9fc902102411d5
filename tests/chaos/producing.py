"""The producer of the oracle: stamps every record with its number in the partition, and keeps what the broker acknowledged.

Idempotent, so that a broker that dies between writing and answering does not make a record two.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tests.chaos import application
from tests.chaos.application import ORDERS
from tests.chaos.fold import Key
from tests.chaos.watching import Target

HOLD_S = 15.0
"""How long the traffic waits for a fault. Half the time after which a partition without records counts as idle: then it does
not hold back the watermark any more, and what comes after the wait may find its pane closed."""

Side = dict[tuple[Key, int], dict[int, bytes | None]]
"""Values by (key, incarnation) and offset, as acknowledged."""


class Producing:
    """Attributes: second: how far the traffic has come. side: what was acknowledged. failed: deliveries that failed.
    limit: the second before which the traffic waits, so that every fault meets records. inc: how often ``orders`` was recreated.
    partitions: of ``orders``.
    """

    def __init__(self, address: str, speed: float) -> None:
        self.second = 0
        self.limit = 0.0
        self.side: Side = defaultdict(dict)
        self.failed: list[str] = []
        self.inc = 0
        self.partitions = application.PARTITIONS[ORDERS]
        self.done = threading.Event()
        self._address, self._speed = address, speed
        self._newest: dict[tuple[Key, int], int] = {}
        self._numbers: dict[tuple[Key, int], int] = defaultdict(int)
        self._producer, self._orders = self._make(), self._make()
        self._gate = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="producing", daemon=True)

    def start(self) -> Producing:
        """Begin."""
        self._thread.start()
        return self

    def newest(self) -> Target:
        """Return (incarnation, end) of what is acknowledged, for every partition that holds something."""
        newest: Target = {}
        for (key, inc), end in list(self._newest.items()):
            newest[key] = max(newest.get(key, (0, 0)), (inc, end))
        return newest

    def hold_orders(self) -> None:
        """Send no more orders, and wait until all are acknowledged."""
        self._gate.acquire()
        assert self._orders.flush(30) == 0, "orders were not acknowledged"

    def release_orders(self, recreated: bool = False) -> None:
        """Send orders again. A producer remembers the topic it wrote to, so a recreated one gets a new producer."""
        if recreated:
            self.inc += 1
            self._orders = self._make()
        self._gate.release()

    def stop(self) -> None:
        """Give up the rest."""
        self._over.set()
        self._thread.join(40)

    def _make(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._address,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "socket.timeout.ms": 10_000,
                "reconnect.backoff.max.ms": 500,
                "topic.metadata.refresh.interval.ms": 2000,
                "log_level": 0,
            }
        )

    def _run(self) -> None:
        for batch in application.batches():
            begun = time.monotonic()
            while self.second >= self.limit and time.monotonic() - begun < HOLD_S and not self._over.is_set():
                self._poll(0.1)
            begun = time.monotonic()
            if self._over.is_set():
                return
            for topic, partition, value in batch:
                self._send(self._producer, topic, partition, value)
            self._send_orders(application.orders(self.second))
            self.second += 1
            while (left := begun + 1 / self._speed - time.monotonic()) > 0:
                self._poll(min(left, 0.1))
        for topic, partition, value in application.farewell():
            self._send(self._producer, topic, partition, value)
        with self._gate:
            for partition in range(self.partitions):
                for n in range(3):
                    self._send(self._orders, ORDERS, partition, application.farewell_order(n))
        while (len(self._producer) or len(self._orders)) and not self._over.is_set():
            self._poll(0.1)
        self.done.set()

    def _poll(self, seconds: float) -> None:
        self._producer.poll(seconds)
        self._orders.poll(0)

    def _send_orders(self, values: list[bytes | None]) -> None:
        with self._gate:
            for n, value in enumerate(values):
                self._send(self._orders, ORDERS, (self.second + n) % self.partitions, value)

    def _send(self, producer: Producer, topic: str, partition: int, value: bytes | None) -> None:
        where = ((topic, partition), self.inc if topic == ORDERS else 0)

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.failed.append(f"{topic}/{partition}: {error}")
                return
            offset = message.offset()
            assert offset is not None
            self.side[where][offset] = value
            self._newest[where] = max(self._newest.get(where, 0), offset + 1)

        number = self._numbers[where]
        self._numbers[where] += 1
        while True:
            try:
                producer.produce(
                    topic, value, b"key", partition, on_delivery=delivered, headers={"seq": b"%d" % number}
                )
            except KafkaException as error:
                if error.args[0].code() != KafkaError._UNKNOWN_PARTITION:
                    raise
                producer.poll(0.2)  # an added partition reaches the producer's metadata a moment later
            else:
                return
