"""The files of deploy/: what a container start would only find out late."""

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"
APPS = ("code", "webserver", "daemon")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|WEBHOOK")


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def dockerfile() -> list[str]:
    """The instructions, one a line, without comments."""
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def read_yaml(path: Path):
    return yaml.safe_load(path.read_text())


def test_there_are_a_web_server_a_daemon_a_code_location_and_a_database(compose):
    assert set(compose["services"]) == {"postgres", *APPS}
    assert len({compose["services"][name]["image"] for name in APPS}) == 1
    assert "build" in compose["services"]["code"]


def test_every_image_has_a_version(compose, dockerfile):
    images = {service["image"] for service in compose["services"].values()}
    images |= {line.split("=", 1)[1] for line in dockerfile if line.startswith("ARG PYTHON_IMAGE")}
    assert len(images) == 3
    for image in images:
        name, _, tag = image.partition(":")
        assert name
        assert re.search(r"\d", tag), image
        assert "latest" not in tag


def test_every_service_has_a_health_check_and_starts_again(compose):
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["healthcheck"]["timeout"], name
        assert service["restart"] == "unless-stopped", name


def test_a_service_waits_until_what_it_needs_is_healthy(compose):
    needs = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in compose["services"].items()
    }
    healthy = "service_healthy"
    assert needs == {
        "postgres": {},
        "code": {"postgres": healthy},
        "webserver": {"code": healthy},
        "daemon": {"code": healthy},
    }


def test_only_the_web_server_is_published_and_by_default_to_this_machine(compose):
    published = {n: s["ports"] for n, s in compose["services"].items() if "ports" in s}
    assert published == {
        "webserver": ["${BIKECAST_BIND:-127.0.0.1}:${BIKECAST_UI_PORT:-3000}:3000"]
    }


def test_no_secret_stands_in_a_file_and_a_missing_one_stops_the_start(compose):
    secrets = {
        (name, variable): value
        for name, service in compose["services"].items()
        for variable, value in service["environment"].items()
        if SECRET.search(variable)
    }
    assert secrets
    for value in secrets.values():
        assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value)
    ignored = (PROJECT / ".gitignore").read_text().split()
    assert ".env" in ignored


def test_the_apps_have_no_privileges(compose, dockerfile):
    for name in APPS:
        service = compose["services"][name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    users = [line.split()[1] for line in dockerfile if line.startswith("USER ")]
    assert users == ["10001:10001"]


def test_all_state_is_in_volumes(compose):
    for name in APPS:
        service = compose["services"][name]
        assert service["volumes"] == ["home:/data"]
        assert service["environment"]["BIKECAST_HOME"] == "/data"
    assert compose["services"]["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert set(compose["volumes"]) == {"home", "postgres"}


def test_the_image_installs_the_hashed_lock_of_the_deployment(dockerfile):
    assert any("scripts/setup.sh deploy" in line for line in dockerfile)
    lock = (PROJECT / "requirements" / "deploy.txt").read_text()
    assert "--hash=sha256:" in lock
    for package in ("dagster-postgres==", "azure-identity=="):
        assert f"\n{package}" in lock
    assert "\npytest==" not in lock


def test_the_locks_agree_on_every_version():
    pinned = {}
    for kind in ("test", "deploy", "notebook", "run"):
        text = (PROJECT / "requirements" / f"{kind}.txt").read_text()
        found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^ ;\\]+)", text, re.MULTILINE)
        pinned[kind] = set(found)
    assert pinned["run"] < pinned["deploy"] < pinned["test"]
    assert pinned["run"] < pinned["notebook"]
    shared = {name for name, _ in pinned["test"]} & {name for name, _ in pinned["notebook"]}
    assert {each for each in pinned["notebook"] if each[0] in shared} <= pinned["test"]


def test_what_the_image_copies_exists_and_is_let_through(dockerfile):
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    allowed = {line[1:] for line in allowed if line.startswith("!")}
    copied = [
        source
        for line in dockerfile
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    assert set(copied) == allowed
    for source in copied:
        assert (PROJECT / source).exists(), source
    assert set(copied) >= {"assets", "bikecast", "pipelines", "resources", "pyproject.toml"}


def test_the_entry_point_can_be_executed():
    assert os.access(DEPLOY / "entrypoint.sh", os.X_OK)
    subprocess.run(["sh", "-n", str(DEPLOY / "entrypoint.sh")], check=True)


def test_dagster_is_configured_as_locally_but_for_the_storage():
    local, deployed = read_yaml(PROJECT / "dagster.yaml"), read_yaml(DEPLOY / "dagster.yaml")
    storage = deployed.pop("storage")["postgres"]["postgres_db"]
    assert deployed == local
    assert storage.pop("scheme") == "postgresql+psycopg2"
    assert {value["env"] for value in storage.values()} == {
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
    }


def test_dagster_limits_runs_retries_and_writers():
    config = read_yaml(PROJECT / "dagster.yaml")
    assert config["run_monitoring"]["enabled"]
    assert config["run_monitoring"]["start_timeout_seconds"] <= 300
    assert config["run_monitoring"]["max_runtime_seconds"] <= 86_400
    assert config["run_retries"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_asset_or_op_failure": False,
    }
    assert config["concurrency"]["runs"]["max_concurrent_runs"] == 2
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}


def test_the_workspace_finds_the_code_location_of_the_compose_file(compose):
    [server] = read_yaml(DEPLOY / "workspace.yaml")["load_from"]
    server = server["grpc_server"]
    local = read_yaml(PROJECT / "workspace.yaml")["load_from"][0]["python_module"]
    assert server["location_name"] == local["location_name"]
    command = compose["services"]["code"]["command"]
    options = dict(pairwise(command))
    assert options["--location-name"] == local["location_name"]
    assert options["-m"] == local["module_name"]
    assert options["-a"] == local["attribute"]
    for name in ("webserver", "daemon"):
        environment = compose["services"][name]["environment"]
        assert environment[server["host"]["env"]] == "code"
        assert environment[server["port"]["env"]] == options["-p"]
        assert "deploy/workspace.yaml" in compose["services"][name]["command"]


def test_compose_accepts_the_file():
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    command = [docker, "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    environment = {**os.environ, "BIKECAST_POSTGRES_PASSWORD": "a test's"}
    subprocess.run(command, env=environment, check=True)
    environment.pop("BIKECAST_POSTGRES_PASSWORD")
    refused = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "BIKECAST_POSTGRES_PASSWORD" in refused.stderr
