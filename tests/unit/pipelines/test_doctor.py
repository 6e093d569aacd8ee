"""The doctor's own rules: time limits, broken checks, and the checks of this machine."""

import json
import socket
import threading

from typer.testing import CliRunner

from bikecast.core.errors import InvalidInput
from pipelines.cli.app import app
from pipelines.doctor import this_machine
from pipelines.doctor.checks import Check, Diagnosis, examine


def named(found):
    return {each.name: each for each in found}


def test_a_check_that_hangs_or_breaks_stops_no_other():
    hang = threading.Event()

    def broken():
        raise InvalidInput("wrong: do that")

    def bug():
        raise ZeroDivisionError("by zero")

    checks = [
        Check("a", "hangs", lambda: hang.wait() and []),
        Check("a", "broken", broken),
        Check("a", "bug", bug),
        Check("a", "fine", lambda: [Diagnosis("a", "fine", "ok", "yes")]),
    ]
    found = examine(checks, 0.5)
    hang.set()

    assert [each.name for each in found] == ["hangs", "broken", "bug", "fine"]
    assert [each.state for each in found] == ["failed", "failed", "failed", "ok"]
    assert "no answer" in found[0].detail
    assert found[1].detail == "wrong: do that"
    assert found[2].detail == "ZeroDivisionError: by zero"


def test_the_packages_of_this_installation_are_as_locked():
    [found] = this_machine.packages("local")

    assert found.state in ("ok", "warning"), found.detail


def test_a_home_below_a_file_is_told(tmp_path, monkeypatch):
    [found] = this_machine.writable(tmp_path / "new" / "home")
    assert found.state == "ok"
    assert "made by the first run" in found.detail

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(this_machine.tempfile, "NamedTemporaryFile", full)
    [found] = this_machine.writable(tmp_path)
    assert found.state == "failed"
    assert "BIKECAST_HOME" in found.remedy


def test_a_port_in_use_is_a_warning_with_another_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        found = named(this_machine.ports(port))[f"port {port}"]

    assert found.state == "warning"
    assert found.remedy == f"Another port: bikecast ui --port {port + 1}"


def test_java_fails_only_where_spark_is_to_run_in_this_process(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    assert this_machine.java("")[0].state == "ok"
    [found] = this_machine.java("local[*]")
    assert found.state == "failed"
    assert "openjdk-17" in found.remedy


def test_an_odbc_driver_that_is_missing_fails_only_in_azure():
    assert this_machine.odbc("No Such Driver", "local")[0].state == "skipped"
    assert this_machine.odbc("No Such Driver", "azure")[0].state == "failed"


def test_the_command_prints_json_and_makes_no_home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("BIKECAST_HOME", str(home))
    result = CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False)

    names = [each["name"] for each in json.loads(result.stdout)]
    assert {"settings", "Python", "packages", "home", "disk", "Java", "ODBC driver"} <= {*names}
    assert not home.exists()
    shown = CliRunner().invoke(app, ["doctor"], catch_exceptions=False)
    assert "what was found" in shown.stdout


def test_wrong_settings_are_a_diagnosis(monkeypatch):
    monkeypatch.setenv("BIKECAST_UI_PORT", "many")
    result = CliRunner().invoke(app, ["doctor", "--json"], catch_exceptions=False)

    assert result.exit_code == 1
    first = json.loads(result.stdout)[0]
    assert first["name"] == "settings"
    assert "BIKECAST_UI_PORT" in first["detail"]


def test_a_spark_session_that_opens_and_counts_is_well():
    [found] = this_machine.spark("", "local")
    assert found.state == "ok", found.detail
    assert "the embedded server answers" in found.detail


def test_a_spark_session_that_cannot_open_is_told():
    [found] = this_machine.spark("http://nowhere", "local")
    assert found.state == "failed"
    assert "BIKECAST_SPARK_REMOTE" in found.remedy


def test_the_home_is_looked_at_although_another_setting_is_wrong(bikecast, monkeypatch, tmp_path):
    monkeypatch.setenv("BIKECAST_BUDGET", "much")
    code, out, _ = bikecast("doctor", "--json")
    found = named(Diagnosis(**each) for each in json.loads(out))
    assert code == 1
    assert "BIKECAST_BUDGET" in found["settings"].detail
    assert found["home"].detail.startswith(str(tmp_path / "home"))
