"""Spark sessions of this process: one for each remote, made when first asked for."""

from __future__ import annotations

import atexit
import os
import threading
from typing import TYPE_CHECKING, Any

from resources.errors import BikecastError, InvalidInput

if TYPE_CHECKING:
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

_lock = threading.RLock()
_sessions: dict[tuple[int, str], SparkSession] = {}
_servers: dict[int, SparkConnectServer] = {}


def session_for(remote: str) -> SparkSession:
    """The session of a remote: "" (embedded server), an `sc://` URL or a JVM master (`local[*]`).

    A session that its server no longer knows is replaced. Sessions and the embedded server end
    with the process.
    Raises InvalidInput for another remote, BikecastError where no session can be opened.
    """
    kind = _check(remote)
    with _lock:
        key = (os.getpid(), remote)
        session = _sessions.get(key)
        if session is not None and not _is_stopped(session):
            return session
        address = _embedded_address() if kind == "embedded" else remote
        try:
            session = _open(kind, address)
        except Exception as error:
            raise BikecastError(_advice(kind, remote, error)) from error
        _sessions[key] = session
        return session


def stop_all() -> None:
    """Stop this process's sessions and its embedded server."""
    with _lock:
        for key in [key for key in _sessions if key[0] == os.getpid()]:
            session = _sessions.pop(key)
            if not _is_stopped(session):
                session.stop()
        server = _servers.pop(os.getpid(), None)
        if server is not None and server.running:
            server.stop()


def _check(remote: str) -> str:
    if not remote:
        return "embedded"
    if remote.startswith("sc://"):
        return "connect"
    if remote == "local" or (remote.startswith("local[") and remote.endswith("]")):
        return "jvm"
    raise InvalidInput(
        f"spark_remote {_shown(remote)!r} is not known: leave it empty for the embedded server, or "
        "use sc://HOST:PORT or local[*]"
    )


def _embedded_address() -> str:
    server = _servers.get(os.getpid())
    if server is None or not server.running:
        # The engine's log lines are for its developers; a user who wants them sets RUST_LOG.
        os.environ.setdefault("RUST_LOG", "off")
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        if not _servers:
            atexit.register(stop_all)
        _servers[os.getpid()] = server
    address = server.listening_address
    if address is None:
        raise BikecastError("the embedded Spark server did not start")
    return f"sc://{address[0]}:{address[1]}"


def _open(kind: str, address: str) -> SparkSession:
    from dagster_pyspark import LazyPySparkResource

    config: dict[str, Any] = {"spark.remote": address}
    if kind == "jvm":
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        config = {
            "spark.master": address,
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.sql.session.timeZone": "UTC",
        }
    # Its spark_context does not exist under Spark Connect, so only spark_session is used.
    session: SparkSession = LazyPySparkResource(spark_config=config).spark_session
    session.range(1).count()  # a session opens without asking the server anything
    return session


def _is_stopped(session: Any) -> bool:
    """Whether either kind of session was stopped, by us or by somebody else."""
    if hasattr(session, "is_stopped"):
        return bool(session.is_stopped)
    return getattr(session.sparkContext, "_jsc", None) is None


def _advice(kind: str, remote: str, error: Exception) -> str:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if kind == "jvm":
        return f"cannot start a JVM Spark session ({reason}); {remote} needs Java 17 or later"
    where = "the embedded Spark server" if kind == "embedded" else _shown(remote)
    return f"cannot open a Spark session on {where}: {reason}"


def _shown(remote: str) -> str:
    """A remote for people: without the parameters of an sc:// URL, which may hold a token."""
    return remote.split("/;", 1)[0].split(";", 1)[0]
