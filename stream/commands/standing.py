"""The judge as it stands, read by somebody who is not its host: its newest checkpoint and the ledger from there on.

The fold is pure and its inputs are in our topics, so anybody who may read them can know what the judge knows.
"""

from __future__ import annotations

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.codec import FormatError, UnknownFormatError, unpack
from stream.exits import BUG
from stream.judge import Judge
from stream.kafka.cluster import ClusterError, denied, unreachable
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.kafka.tail import Tail
from stream.publishing import latest_checkpoint


async def judge(brokers: str, app: str) -> Judge | None:
    """Return the judge of an application, None when it has not begun or its ledger does not reach back.

    Raises:
        ClusterError: our topics may not be read.
    """
    producer = Producer(brokers)
    store, tail = Store(brokers, f"{app}.state", producer), Tail(brokers, f"{app}.ledger")
    try:
        await store.start()
        return await _judge(store, tail)
    except UnknownFormatError as error:
        raise ClusterError(f"topic {app}.state or {app}.ledger: written by another release: {error}", BUG) from None
    except TopicAuthorizationFailedError as error:
        raise denied(error) from None
    except (KafkaError, OSError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await tail.stop()
        await store.stop()
        await producer.stop()


async def _judge(store: Store, tail: Tail) -> Judge | None:
    result = Judge()
    checkpoint = latest_checkpoint(store.records)
    if checkpoint is not None:
        tree = unpack(checkpoint.data)[1]
        for name in Judge.needed(tree):
            await store.blob(name)
        try:
            result = Judge.restore(tree, store.known)
        except (KeyError, ValueError) as error:
            raise UnknownFormatError(f"its checkpoint is of another kind ({error})") from None
    if await tail.start() > result.fold.offset:
        return None
    tail.go_to(result.fold.offset)
    for offset, _, frame in await tail.read_to_end():
        try:
            header, body = unpack(frame or b"")
        except UnknownFormatError:
            raise
        except FormatError:
            continue
        for name in result.needs(header):
            await store.blob(name)
        result.apply(offset, header, body, store.known)
    return result if result.layout is not None else None
