"""A fetch is cut into record batches that tile its offsets, whatever lies in them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.batch import RecordBatch
from stream.kafka.checksum import FetchedRecords
from stream.kafka.fetch import CHUNK, CHUNK_BYTES, interleave, read
from stream.kafka.inflate import LIMIT, Limit
from stream.reading.records import MAX_BYTES

CONTROL = 0x20
END = 10_000_000


def kafka_batch(base: int, values: Iterable[bytes], codec: int = 0, attributes: int = 0) -> bytearray:
    """Return one batch of the log as the broker would send it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 24)
    for delta, value in enumerate(values):
        builder.append(delta, 1000 + delta, None, value, [])
    data = bytearray(builder.build())
    data[0:8] = base.to_bytes(8, "big")
    data[22] |= attributes  # the low byte of the attributes; outside of what the broker sends, so no checksum below
    return data


def cut(*batches: bytearray, position: int = 0, check_crcs: bool = False, budget: int = 9 * LIMIT) -> list[RecordBatch]:
    """Return the record batches of a fetch that consists of ``batches``."""
    return list(read(FetchedRecords(bytes(b"".join(batches))), "t", 0, position, END, check_crcs, budget))


def numbers(start: int, count: int) -> list[bytes]:
    """Return ``count`` distinct values."""
    return [b"%d" % n for n in range(start, start + count)]


def assert_tiles(found: list[RecordBatch], start: int, end: int) -> None:
    """Assert that each batch begins where the one before ended and holds only records of its range."""
    assert [batch.start for batch in found] == [start, *[batch.next for batch in found[:-1]]]
    assert found[-1].next == end
    for batch in found:
        assert all(batch.start <= offset < batch.next for offset in batch.offsets)
        assert len(batch.offsets) <= CHUNK


def test_small_kafka_batches_are_joined() -> None:
    """A producer without linger writes batches of one record; a record batch per record would cost Faust's price again."""
    (batch,) = cut(*[kafka_batch(n, [b"%d" % n]) for n in range(50)])
    assert (batch.start, batch.next, batch.end) == (0, 50, END)
    assert batch.values == numbers(0, 50)
    assert batch.offsets == list(range(50))


def test_large_kafka_batch_is_cut() -> None:
    """No record batch holds more than CHUNK records."""
    found = cut(kafka_batch(0, numbers(0, 2500)), kafka_batch(2500, numbers(2500, 500)))
    assert_tiles(found, 0, 3000)
    assert [len(batch.values) for batch in found] == [1000, 1000, 1000]
    assert [value for batch in found for value in batch.values] == numbers(0, 3000)


def test_gap_before_a_batch_is_covered() -> None:
    """Offsets that compaction removed lie inside the range of the batch that follows."""
    (batch,) = cut(kafka_batch(7, numbers(0, 3)), position=2)
    assert (batch.start, batch.next, batch.offsets) == (2, 10, [7, 8, 9])


def test_control_records_alone_still_move_on() -> None:
    """A fetch of nothing but a transaction's end is a batch without records: otherwise its reader never reaches the end."""
    (batch,) = cut(kafka_batch(4, [b"commit"], attributes=CONTROL), position=4)
    assert (batch.start, batch.next, batch.values, batch.unreadable) == (4, 5, [], "")


def test_head_of_a_batch_below_the_position_is_dropped() -> None:
    """The broker sends whole batches: after a seek into the middle, the records before are not wanted."""
    (batch,) = cut(kafka_batch(0, numbers(0, 10)), position=6)
    assert (batch.start, batch.next, batch.values) == (6, 10, numbers(6, 4))


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4], ids=["none", "gzip", "snappy", "lz4", "zstd"])
def test_damaged_batch_is_named_and_passed_over(codec: int) -> None:
    """One broken bit costs one Kafka batch, by its exact offsets; its neighbours are read."""
    damaged = kafka_batch(3, numbers(3, 4), codec)
    damaged[-1] ^= 0x01
    found = cut(kafka_batch(0, numbers(0, 3)), damaged, kafka_batch(7, numbers(7, 2)), check_crcs=True)
    assert_tiles(found, 0, 9)
    assert [(batch.start, batch.next, batch.unreadable) for batch in found] == [
        (0, 3, ""),
        (3, 7, "corrupt"),
        (7, 9, ""),
    ]
    assert [batch.values for batch in found] == [numbers(0, 3), [], numbers(7, 2)]


@pytest.mark.parametrize("codec", [1, 2, 3, 4], ids=["gzip", "snappy", "lz4", "zstd"])
def test_compression_bomb_is_named_and_passed_over(codec: int) -> None:
    """A batch that would unpack beyond the limit costs its own offsets only."""
    bomb = kafka_batch(1, [bytes(200_000)], codec)
    try:
        Limit(100_000).install()
        found = cut(kafka_batch(0, [b"a"], codec), bomb, kafka_batch(2, [b"b"], codec), check_crcs=False)
    finally:
        Limit().install()
    assert [(batch.start, batch.next, batch.unreadable) for batch in found] == [
        (0, 1, ""),
        (1, 2, "too_large"),
        (2, 3, ""),
    ]


def test_millions_of_empty_records_are_a_bomb_too() -> None:
    """The number of records in one Kafka batch is bounded, because each costs a hundred bytes here and seven there."""
    data = kafka_batch(0, [b"a"])
    data[23:27] = (600_000).to_bytes(4, "big")  # last offset delta
    (batch,) = cut(data)
    assert (batch.start, batch.next, batch.unreadable) == (0, 600_001, "too_large")


def test_reading_stops_at_the_budget_and_can_go_on() -> None:
    """A fetch that unpacks to more than the memory allowed is handed over in portions."""
    fetched = FetchedRecords(bytes(b"".join(kafka_batch(n * 1001, [bytes(1000)] * 1001) for n in range(3))))
    first = list(read(fetched, "t", 0, 0, END, False, 1_000_000 - 1))
    assert fetched.has_next()
    rest = list(read(fetched, "t", 0, first[-1].next, END, False, LIMIT))
    assert not fetched.has_next()
    assert_tiles([*first, *rest], 0, 3003)


def test_batches_are_bounded_in_bytes() -> None:
    """A thousand records of half a megabyte are no chunk; every record is in one all the same, in order."""
    values = [bytes([n]) * 500_000 for n in range(30)]
    found = cut(kafka_batch(0, values), kafka_batch(30, numbers(0, 5)))
    assert_tiles(found, 0, 35)
    assert [value for batch in found for value in batch.values] == [*values, *numbers(0, 5)]
    assert all(sum(map(len, filter(None, batch.values))) <= batch.size <= CHUNK_BYTES for batch in found)


def test_a_record_that_is_too_large_is_dropped_by_its_offset() -> None:
    """Value, key or headers: nobody could do more than reject it. Its neighbours in the same Kafka batch are read."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 24)
    large = b"x" * (MAX_BYTES + 1)
    builder.append(0, 1000, b"k", b"a", [])
    builder.append(1, 1001, None, large, [])
    builder.append(2, 1002, large, b"b", [])
    builder.append(4, 1004, None, b"c", [("h", large)])
    builder.append(5, 1005, None, large[1:], [])
    builder.append(6, 1006, None, b"d", [("", b"")] * 20_000)
    found = cut(bytearray(builder.build()))
    assert_tiles(found, 0, 7)
    assert [(batch.start, batch.next, batch.unreadable, batch.offsets) for batch in found] == [
        (0, 1, "", [0]),
        (1, 2, "too_large", []),
        (2, 3, "too_large", []),
        (3, 4, "", []),
        (4, 5, "too_large", []),
        (5, 6, "", [5]),
        (6, 7, "too_large", []),
    ]


def test_many_bombs_in_one_fetch_are_handed_over_one_by_one() -> None:
    """Each of them costs as much as it unpacks to before it is given up, so it counts against the budget."""
    bombs = [kafka_batch(n, [bytes(LIMIT + 1)], 4) for n in range(3)]
    (batch,) = cut(*bombs, budget=LIMIT)
    assert (batch.start, batch.next, batch.unreadable) == (0, 1, "too_large")


def test_large_records_below_the_limit_of_a_batch_do_not_pile_up() -> None:
    """120 batches of 60 MiB each pass the bound on a batch; together they would be 7 GiB."""
    near = [kafka_batch(n, [bytes(60 * 2**20)], 4) for n in range(3)]
    assert sum(map(len, near)) < 10_000
    found = cut(*near, budget=CHUNK_BYTES)
    assert [(batch.start, batch.next, batch.unreadable, batch.values) for batch in found] == [(0, 1, "too_large", [])]


@pytest.mark.parametrize("codec", [1, 3, 4], ids=["gzip", "lz4", "zstd"])
def test_millions_of_headers_are_a_bomb_too(codec: int) -> None:
    """An empty header is two bytes in a batch and seventy in memory."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 26)
    builder.append(0, 1000, None, b"{}", [("", b"")] * 3_000_000)
    Limit().install()
    (batch,) = cut(bytearray(builder.build()))
    assert (batch.start, batch.next, batch.unreadable) == (0, 1, "too_large")


def test_partitions_take_turns() -> None:
    """A partition with much to read does not keep the others waiting."""

    def batch(partition: int, start: int) -> RecordBatch:
        return RecordBatch("t", partition, start, start + 1, 9, [], [], [], [], [])

    order = interleave([[batch(0, 0), batch(0, 1), batch(0, 2)], [batch(1, 0)], [batch(2, 0), batch(2, 1)]])
    assert [(found.partition, found.start) for found in order] == [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]


def damaged(batch: bytearray, byte: int, bit: int = 4) -> bytearray:
    """Return a batch with one bit flipped."""
    copy = bytearray(batch)
    copy[byte] ^= 1 << bit
    return copy


def test_a_damaged_batch_is_fetched_again_before_it_counts_as_corrupt() -> None:
    """What was damaged on its way is whole at the broker. Nothing is left, so that the next fetch begins at the batch."""
    whole, next_one = kafka_batch(5, numbers(5, 5)), kafka_batch(10, numbers(10, 5))
    fetched = FetchedRecords(bytes(kafka_batch(0, numbers(0, 5)) + damaged(whole, -1) + next_one))
    asked: list[int] = []

    def once_more(position: int) -> bool:
        asked.append(position)
        return True

    found = list(read(fetched, "t", 0, 0, END, True, 9 * LIMIT, once_more))
    assert_tiles(found, 0, 5)
    assert [batch.unreadable for batch in found] == [""]
    assert asked == [5]
    assert not fetched.has_next()


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("byte", range(17, 65))
def test_a_damaged_batch_costs_its_own_offsets_and_not_those_behind_it(byte: int, bit: int) -> None:
    """Whatever bit of its head: the batch behind it says where it ends."""
    first, second = kafka_batch(0, numbers(0, 5)), kafka_batch(5, numbers(5, 5))
    found = cut(damaged(first, byte, bit), second, check_crcs=True)
    assert [(batch.start, batch.next, batch.unreadable) for batch in found] == [(0, 5, "corrupt"), (5, 10, "")]


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("byte", [*range(8, 12), 16])
def test_a_length_or_a_format_that_no_batch_has_ends_nothing(byte: int, bit: int) -> None:
    """The client's parsers raise over it; what follows in the fetch cannot be found, so it is fetched again."""
    asked: list[int] = []

    def once_more(position: int) -> bool:
        asked.append(position)
        return True

    first, second = kafka_batch(0, numbers(0, 5)), kafka_batch(5, numbers(5, 5))
    fetched = FetchedRecords(bytes(first + damaged(second, byte, bit)))
    found = list(read(fetched, "t", 0, 0, 10, True, LIMIT, once_more))
    if found[-1].next == 10:
        assert (byte, found[0].values) == (16, numbers(0, 10)), "a newer format is read like this one"
    else:
        assert [(batch.start, batch.next, batch.unreadable) for batch in found] == [(0, 5, "")]
        assert asked in ([5], []), "a length beyond the fetch is an incomplete batch"
    assert not fetched.has_next()


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("byte", range(8))
def test_a_damaged_base_offset_passes_nothing_over_in_silence(byte: int, bit: int) -> None:
    """The checksum does not cover it. A batch that leads beyond the log, or back, is damaged."""
    batches = [kafka_batch(5 * n, numbers(5 * n, 5)) for n in range(3)]
    batches[1] = damaged(batches[1], byte, bit)
    data = bytes(b"".join(batches))
    found = list(read(FetchedRecords(data), "t", 0, 0, 15, True, LIMIT))
    wrong = [batch for batch in found if batch.unreadable]
    if byte < 7 or bit > 2:
        assert [(batch.start, batch.next) for batch in wrong] == [(5, 10)]
    assert found[-1].next == 15
    assert_tiles(found, 0, 15)


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("byte", range(23, 27))
def test_the_length_of_a_damaged_batch_is_believed_within_the_log_only(byte: int, bit: int) -> None:
    """Its last offset is among what the checksum covers; at least one offset is passed over, or it would never end."""
    batch = damaged(kafka_batch(0, numbers(0, 5)), byte, bit)
    found = list(read(FetchedRecords(bytes(batch)), "t", 0, 0, 5, True, 9 * LIMIT))
    assert [batch.unreadable for batch in found] == ["corrupt"]
    assert 1 <= found[-1].next <= 5
