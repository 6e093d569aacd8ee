"""The deployment's Dagster, as deploy/compose.yaml starts it, on a PostgreSQL of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from pipelines.bike_rentals import BIKE_RENTALS as SPEC
from tests.cli import PROJECT, Cli
from tests.e2e.test_kills import wait_until

pytestmark = pytest.mark.slow

COMPOSE = PROJECT / "deploy" / "compose.yaml"
REASON = "no PostgreSQL server: apt-get install postgresql"
BIN = Path(sys.executable).parent
PASSWORD = "only-for-this-test"
FINISHED = ("SUCCESS", "FAILURE", "CANCELED")


def server_programs() -> Path | None:
    """The folder with initdb and pg_ctl; Debian keeps them off PATH."""
    candidates = [Path(found).resolve() for found in [shutil.which("pg_ctl")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    return candidates[0].parent if candidates else None


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@contextmanager
def cluster() -> Iterator[dict[str, str]]:
    """A private cluster on a free port of 127.0.0.1; yields libpq's variables.

    The server refuses to run as root, so root hands it to the user `postgres`, in a folder that
    this user can reach.
    """
    programs = server_programs()
    if programs is None:
        pytest.skip(REASON)
    user: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="bikecast-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            try:
                account = pwd.getpwnam("postgres")
            except KeyError:
                pytest.skip("root cannot run PostgreSQL, and there is no user postgres")
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
            user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        data, port = str(folder / "data"), free_port()

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(programs / program), "-D", data, *arguments],
                check=True,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                **user,
            )

        login = ("--auth=scram-sha-256", "--username=bikecast", f"--pwfile={folder / 'password'}")
        run("initdb", *login, "--encoding=UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        run("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        try:
            yield {
                "PGHOST": "127.0.0.1",
                "PGPORT": port,
                "PGUSER": "bikecast",
                "PGPASSWORD": PASSWORD,
                "PGDATABASE": "postgres",
            }
        finally:
            run("pg_ctl", "stop", "-m", "immediate")


def compose_command(service: str, **replaced: str) -> list[str]:
    """The command of a service, with the programs of this installation."""
    program, *arguments = yaml.safe_load(COMPOSE.read_text())["services"][service]["command"]
    return [str(BIN / program), *(replaced.get(word, word) for word in arguments)]


@contextmanager
def started(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_the_daemon_runs_the_chain_with_postgres_as_storage(tmp_path, monkeypatch):
    import dagster as dg

    cli = Cli(tmp_path / "home", trials=2)
    with ExitStack() as stack:
        environment = cli.environment | stack.enter_context(cluster())
        port = free_port()
        environment |= {
            "BIKECAST_DAGSTER_CONFIG": str(PROJECT / "deploy" / "dagster.yaml"),
            "BIKECAST_CODE_HOST": "127.0.0.1",
            "BIKECAST_CODE_PORT": port,
            "DAGSTER_HOME": str(cli.home / "dagster"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        entry = [str(PROJECT / "deploy" / "entrypoint.sh")]

        def service(name: str, **replaced: str) -> None:
            command = entry + compose_command(name, **replaced)
            stack.enter_context(started(command, environment, tmp_path / f"{name}.log"))

        def call(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [*entry, str(BIN / arguments[0]), *arguments[1:]]
            return subprocess.run(
                command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
            )

        def healthy(*arguments: str) -> bool:
            return call(*arguments).returncode == 0

        service("code", **{"4000": port, "0.0.0.0": "127.0.0.1"})
        check = ("dagster", "api", "grpc-health-check", "-p", port)
        assert wait_until(lambda: healthy(*check), 300), (tmp_path / "code.log").read_text()
        service("daemon")
        workspace = ("-w", "deploy/workspace.yaml")
        launched = call("dagster", "job", "launch", "-j", "bike_rentals", *workspace)
        assert launched.returncode == 0, launched.stderr

        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.get() as instance:
            assert "Postgres" in type(instance.run_storage).__name__

            def settled() -> bool:
                runs = instance.get_runs()
                failed = any(run.status is dg.DagsterRunStatus.FAILURE for run in runs)
                predictions = dg.AssetKey(SPEC.predictions_table)
                made = instance.get_latest_materialization_event(predictions)
                busy = {run.status.value for run in runs} - set(FINISHED)
                return failed or (made is not None and not busy)

            assert wait_until(settled, 600), (tmp_path / "daemon.log").read_text()
            runs = {run.job_name: run.status.value for run in instance.get_runs()}
        assert runs == {"bike_rentals": "SUCCESS", "finish_training": "SUCCESS"}
        assert healthy("dagster-daemon", "liveness-check")
        status = call("bikecast", "status", "--json")
        assert '"version": 1' in status.stdout, status.stderr
    assert not list((cli.home / "dagster").rglob("*.db")), "state outside PostgreSQL"
    assert PASSWORD not in (cli.home / "dagster" / "dagster.yaml").read_text()
