"""Decompression is exact below its limit and stops above it."""

from __future__ import annotations

import subprocess
import sys

import cramjam
import pytest
from aiokafka import codec
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.inflate import Limit, TooLargeError

ENCODE = {"gzip": codec.gzip_encode, "snappy": codec.snappy_encode, "lz4": codec.lz4_encode, "zstd": codec.zstd_encode}
CODECS = pytest.mark.parametrize("name", ENCODE)


@CODECS
@given(data=st.binary(max_size=3000).map(lambda part: part * 7))
def test_what_was_packed_comes_back(name: str, data: bytes) -> None:
    """The replaced functions give what aiokafka's own give."""
    assert getattr(Limit(), name)(ENCODE[name](data)) == data


@CODECS
def test_limit_is_exact(name: str) -> None:
    """As many bytes as the limit are given, one more is refused."""
    limit = Limit(300_000)
    assert getattr(limit, name)(ENCODE[name](bytes(300_000))) == bytes(300_000)
    with pytest.raises(TooLargeError, match="more than 300000 bytes"):
        getattr(limit, name)(ENCODE[name](bytes(300_001)))


def test_raw_snappy_and_several_gzip_members() -> None:
    """Producers other than Java's write snappy without blocks; gzip may come in members."""
    assert Limit().snappy(bytes(cramjam.snappy.compress_raw(b"abc" * 99))) == b"abc" * 99
    assert Limit().gzip(codec.gzip_encode(b"one") + codec.gzip_encode(b"two")) == b"onetwo"


@CODECS
def test_cut_off_data_raises_something_else(name: str) -> None:
    """Damaged data must not look like data that is too large."""
    with pytest.raises(Exception) as raised:  # each codec has its own
        getattr(Limit(), name)(ENCODE[name](bytes(range(256)) * 40)[:-20])
    assert raised.type is not TooLargeError


BOMB = """
import sys, zlib
import cramjam
from stream.kafka.inflate import Limit, TooLargeError

def resident():
    # Not getrusage: what it calls the most begins with that of the process that started this one.
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])

name, zeros, bomb = sys.argv[1], bytes(2**20), bytearray()
if name == "gzip":
    packer = zlib.compressobj(wbits=31)
    for _ in range(192):
        bomb += packer.compress(zeros)
    bomb += packer.flush()
else:
    packer = getattr(cramjam, name).Compressor()
    for _ in range(192):
        packer.compress(zeros)
        bomb += bytes(packer.flush())
    bomb += bytes(packer.finish())
before = resident()
try:
    getattr(Limit(2**24), name)(bytes(bomb))
except TooLargeError:
    print(resident() - before)
"""


@pytest.mark.parametrize("name", ["gzip", "lz4", "zstd"])  # snappy cannot pack this densely
def test_memory_stays_bounded(name: str) -> None:
    """192 MiB of zeros are refused without ever being in memory."""
    run = subprocess.run([sys.executable, "-c", BOMB, name], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 64 * 1024  # KiB; the limit is 16 MiB
