"""What every command has in common: arguments, exit codes, and outputs that go away."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import stream.commands.topics
from stream import exits
from stream.arguments import parse
from stream.demo import run
from stream.serving import watchdog
from tests.broker.process import until
from tests.cli.conftest import Command, Configure

NOBODY = "127.0.0.1:9"
COMMANDS = ("check", "topics", "run", "replay", "alerts", "verdict", "reopen")


def test_help_lists_every_command_and_every_exit_code(streamgauge: Command) -> None:
    """The one list of exit codes is what --help prints."""
    ended = streamgauge("--help")
    assert ended.code == 0
    for name in (*COMMANDS, "demo", "version"):
        assert re.search(rf"^    {name} ", ended.out, re.MULTILINE)
    printed = {int(code) for code in re.findall(r"^ +(\d+)  \w", ended.out.partition("exit codes:")[2], re.MULTILINE)}
    named = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert printed == set(exits.MEANING) == named


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(streamgauge: Command, name: str) -> None:
    """Help of a command names its configuration file, and shows a call that its own parser accepts."""
    ended = streamgauge(name, "--help")
    assert ended.code == 0
    assert "configuration file (default: streamgauge.yaml)" in ended.out
    example = ended.out.partition("example:\n  streamgauge ")[2]
    assert parse(shlex.split(example)).file == "fraud.yaml"


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_a_terminal(streamgauge: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is longer than 80 characters, so none is broken in the middle of a word."""
    monkeypatch.setenv("COLUMNS", "80")
    out = streamgauge(*[name] * bool(name), "--help").out
    assert max(map(len, out.splitlines())) <= 80


def test_check_says_that_it_shows_values(streamgauge: Command) -> None:
    """Whoever runs `check` is told that records are shown, and how to avoid it (P14)."""
    text = " ".join(streamgauge("check", "--help").out.split())
    assert "their values are shown" in text
    assert "Nothing of them is stored" in text
    assert "--no-values" in text


def test_version(streamgauge: Command) -> None:
    """Both ways print the same."""
    ended = streamgauge("version")
    assert re.fullmatch(r"streamgauge \d+\.\d+\.\d+\n", ended.out)
    assert streamgauge("--version") == ended


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["bogus"],
            "there is no command 'bogus'; the commands are check, topics, run, replay, alerts, explain, verdict, baseline, "
            "reopen, demo, version",
        ),
        (["chek"], "there is no command 'chek'; did you mean 'check'?"),
        (["check", "--bogus"], "unrecognized arguments: --bogus"),
        (["check", "--ofline"], "unrecognized arguments: --ofline; did you mean '--offline'?"),
        (["topics", "--acls", "bob"], "expected a type and a name, such as User:streamgauge, got bob"),
        (["replay", "--input", "a=b", "--fail-on", "info"], "invalid choice: 'info' (choose from 'page', 'ticket')"),
        (["check", "a.yaml", "-c", "b.yaml"], "two configuration files: a.yaml and b.yaml"),
        (
            ["explain", "a.yaml"],
            "INCIDENT is missing: a.yaml is a file; its incidents: streamgauge alerts a.yaml --state",
        ),
        (["topics", "--replication", "0"], "expected 1 to 9, got 0"),
        (["replay"], "the following arguments are required: --input"),
        (["alerts", "--state", "--follow"], "not allowed with argument"),
        (["demo", "--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_a_wrong_command_line_ends_with_64(streamgauge: Command, arguments: list[str], said: str) -> None:
    """64 is EX_USAGE; argparse's own 2 would be a code of the demo."""
    ended = streamgauge(*arguments)
    assert (ended.code, ended.out) == (64, "")
    assert said in ended.err


def test_a_file_is_no_command(streamgauge: Command, configure: Configure) -> None:
    """Whoever forgot the command is told one."""
    file = configure(NOBODY).file
    assert f"did you mean: streamgauge check {file}" in streamgauge(file).err


def test_no_command_prints_the_help(streamgauge: Command) -> None:
    """A first call without arguments teaches, and fails."""
    ended = streamgauge()
    assert ended.code == 64
    assert "streamgauge check" in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_file_is_one_line(
    streamgauge: Command, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """66 is EX_NOINPUT."""
    monkeypatch.chdir(tmp_path)
    needed = {
        "replay": ["--input", "a=b"],
        "reopen": ["--topic", "a", "--at", "end", "--why", "test"],
        "verdict": ["3f2a91", "incident", "--why", "test"],
    }
    more = needed.get(name, [])
    assert streamgauge(name, "none.yaml", *more) == streamgauge(name, "-c", "none.yaml", *more)
    ended = streamgauge(name, "none.yaml", *more)
    assert (ended.code, ended.out, ended.err) == (
        66,
        "",
        f"streamgauge {name}: none.yaml: no such configuration file\n",
    )


def test_files_that_look_like_a_configuration_are_named(
    streamgauge: Command, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder in which the file was looked for; another YAML file is no configuration."""
    file = configure(NOBODY).file
    monkeypatch.chdir(file.parent)
    Path("streamgauge-compose.yaml").write_text("services: {}\n")
    missing = "streamgauge check: streamgauge.yaml: no such configuration file"
    assert streamgauge("check").err == f"{missing}; did you mean {file.name}?\n"
    Path("a.yml").write_bytes(file.read_bytes())
    assert streamgauge("check").err == f"{missing}; these look like one: a.yml, {file.name}\n"
    ended = streamgauge("check", file.parent)
    assert (ended.code, ended.err.partition(";")[0]) == (
        66,
        "streamgauge check: .: is a folder, not a configuration file",
    )


def test_a_long_path_is_said_from_the_present_folder(
    streamgauge: Command, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of the line, which says what is wrong, is what has to be seen."""
    configuration = configure(NOBODY)
    configuration.edit("owner:", "ownr:")
    monkeypatch.chdir(configuration.file.parent)
    assert streamgauge("check", configuration.file).err.startswith(
        f"{configuration.file.name}:5:5: models.fraud.ownr: "
    )


def test_a_wrong_file_ends_with_78(streamgauge: Command, configure: Configure) -> None:
    """78 is EX_CONFIG; the message is that of `stream.config.settings`."""
    configuration = configure(NOBODY)
    configuration.edit("owner:", "ownr:")
    ended = streamgauge("check", configuration.file)
    assert ended.code == 78
    assert f"{configuration.file}:5:5: models.fraud.ownr: unknown key" in ended.err
    assert "did you mean 'owner'?" in ended.err


@pytest.mark.parametrize("name", ["check", "alerts", "topics"])
def test_a_cluster_that_is_down_is_one_line(streamgauge: Command, configure: Configure, name: str) -> None:
    """69 is EX_UNAVAILABLE; no traceback, and nothing from the Kafka client."""
    ended = streamgauge(name, configure(NOBODY).file)
    assert ended.code == 69
    assert re.fullmatch(rf"streamgauge {name}: kafka\.brokers: no broker answers at {NOBODY}.*\n", ended.err)


def test_run_waits_for_a_cluster_and_can_be_stopped(configure: Configure) -> None:
    """One line, and 0 at the end. In a process of its own, because a worker changes logging and garbage collection."""
    configuration = configure(NOBODY)
    configuration.edit("models:\n", "web: {port: 0}\nmodels:\n")
    process = call("run", configuration.file, stdout=subprocess.PIPE)
    assert process.stderr is not None
    line = process.stderr.readline().decode()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"", b""), err
    assert line.endswith(f"no Kafka broker answers at {NOBODY}; waiting for one\n")


def test_an_error_of_ours_ends_with_70(
    streamgauge: Command, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is never dressed up as something that the user can mend."""

    def broken(*_: object) -> int:
        return 1 // 0

    monkeypatch.setattr(stream.commands.topics, "command", broken)
    ended = streamgauge("topics", configure(NOBODY).file)
    assert ended.code == 70
    assert "ZeroDivisionError" in ended.err
    assert ended.err.endswith("an error of ours; please report it with the lines above\n")


def test_a_watchdog_ends_with_the_code_that_is_documented() -> None:
    """The watchdog ends the process itself, past every handler."""
    assert watchdog.EXIT == exits.TRY_AGAIN


def test_the_demo_ends_with_the_codes_that_are_documented() -> None:
    """The demo decides them, the list explains them."""
    assert (run.PASSED, run.FAILED, run.NOT_RUN) == (exits.OK, exits.FAILED, exits.NOT_RUN)


def call(*arguments: object, **how: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stream.cli", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **how)  # type: ignore[call-overload, no-any-return]


def test_a_reader_that_goes_away_is_no_error(configure: Configure) -> None:
    """`streamgauge ... | head` ends like any other program of a pipe."""
    read, write = os.pipe()
    process = call("check", "--offline", configure(NOBODY).file, stdout=write)
    os.close(write)
    os.close(read)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help")])
def test_help_for_a_reader_that_goes_away(arguments: tuple[str, ...]) -> None:
    """Help is printed by argparse, which ends the process by itself: that must not end in a complaint either."""
    read, write = os.pipe()
    os.close(read)
    process = call(*arguments, stdout=write, env={**os.environ, "PYTHONUNBUFFERED": ""})  # argparse ignores the rest
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


def test_a_full_disk_is_one_line(configure: Configure) -> None:
    """73 is EX_CANTCREAT; it is the operator's to mend, and no error of ours."""
    with open("/dev/full", "wb") as full:
        process = call("check", "--offline", configure(NOBODY).file, stdout=full)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (73, b"streamgauge: cannot write: no space left on device\n")


def test_a_closed_output_is_no_error(configure: Configure) -> None:
    """Started with its standard output closed, a command does its work and says nothing."""
    process = call("check", "--offline", configure(NOBODY).file, stdout=None, preexec_fn=lambda: os.close(1))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def unread(pipe: int) -> int:
    """Return how many bytes nobody has read from a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_interrupting_is_quiet(configure: Configure, tmp_path: Path) -> None:
    """Ctrl-C ends with 130 and without a traceback."""
    configuration = configure(NOBODY)
    pipe = tmp_path / "endless.jsonl"
    os.mkfifo(pipe)
    process = call("replay", configuration.file, "--input", f"{configuration.features}={pipe}", stdout=subprocess.PIPE)
    end = os.open(pipe, os.O_RDWR)  # for both, so that nobody finds it closed: the command opens it more than once
    try:
        os.write(end, b"\n")
        until("the command waits for records", lambda: not unread(end))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        os.close(end)
    assert (process.returncode, out, err) == (130, b"", b"")
