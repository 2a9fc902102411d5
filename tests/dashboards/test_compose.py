"""The compose file, as far as it can be tested without Docker: schema, files, ports, tags, health, and its configuration."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from stream import exits
from stream.cli import main
from stream.config.settings import Settings, load
from stream.demo import config

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


def test_it_follows_the_compose_specification() -> None:
    """The schema comes with check-jsonschema; its command does not run beside Faust, which holds click below 8.4."""
    spec = importlib.util.find_spec("check_jsonschema")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    schema = Path(spec.submodule_search_locations[0]) / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text()))


def test_it_carries_no_version_and_no_name() -> None:
    assert not {"version", "name"} & set(COMPOSE)


@each_service
def test_every_mounted_file_exists_and_is_read_only(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith("."):
            assert (ROOT / source).is_file(), source
            assert volume.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"], source


@each_service
def test_ports_are_on_loopback(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@each_service
def test_an_image_is_built_here_or_has_a_fixed_tag(name: str) -> None:
    service = SERVICES[name]
    assert "build" in service or re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), service["image"]


@each_service
def test_whoever_is_waited_for_has_a_health_check(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"], other


@each_service
def test_a_service_has_an_init_and_a_memory_limit(name: str) -> None:
    assert SERVICES[name]["init"] is True
    assert SERVICES[name]["mem_limit"]


def test_our_services_run_without_rights() -> None:
    for name in ("topics", "flights", "monitor"):
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["tmpfs"] == ["/tmp"]
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER 65534:65534" in lines
    assert all(
        re.match(r"FROM python:3\.11\.\d+-slim-\w+( AS build)?$", line) for line in lines if line.startswith("FROM")
    )
    assert "/ready" in "".join(lines)


@pytest.mark.parametrize("name", ["topics", "monitor"])
def test_the_commands_are_those_of_the_command_line(name: str, tmp_path: Path) -> None:
    """Understood, up to the file that is not there; a wrong word would end with another code."""
    *words, file = SERVICES[name]["command"]
    assert file == "/etc/streamgauge/streamgauge.yaml"
    assert main([*words, str(tmp_path / "absent.yaml")]) == exits.NO_INPUT


def test_the_monitor_watches_what_the_demo_watches(tmp_path: Path) -> None:
    """One description of the flights: only the addresses may differ from the file that `streamgauge demo` writes."""
    demo = tmp_path / "demo.yaml"
    demo.write_text(config.text("kafka:19092", 6066))

    def without_web(settings: Settings) -> dict[str, Any]:
        return settings.model_dump(exclude={"web"})

    ours = load(ROOT / "docs" / "demo.yaml")
    assert without_web(ours) == without_web(load(demo))
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert "INTERNAL://kafka:19092" in listeners
    job = yaml.safe_load((ROOT / "dashboards" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert job["dns_sd_configs"] == [{"names": ["monitor"], "type": "A", "port": ours.web.port}]
