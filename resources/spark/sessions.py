"""The Spark session of this process, opened when first asked for and kept.

PySpark's builder returns the open session whatever remote it is asked for, so there is one at a
time: asking for another remote closes it.
"""

from __future__ import annotations

import atexit
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bikecast.core.errors import BikecastError, InvalidInput, first_line

if TYPE_CHECKING:
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

#: How long a Spark Connect server may take to accept a connection.
CONNECT_SECONDS = 10.0
#: Waits of .05, .2, .8, 3.2 and 5 s; PySpark's own default tries for about ten minutes, even to
#: take leave of a server that is gone while the process wants to end.
_RETRIES, _LONGEST_WAIT_MS = 5, 5000
_DEFAULT_PORT = 15002  # of sc:// URLs
#: What PySpark would take instead of the engine that was asked for.
_OTHER_ENGINE = ("MASTER", "SPARK_API_MODE", "SPARK_LOCAL_REMOTE", "SPARK_REMOTE")
#: The token of a cluster would make the connection to the embedded server an encrypted one; and
#: this machine is not reached through a proxy.
_OF_CLUSTERS = ("SPARK_CONNECT_AUTHENTICATE_TOKEN", "grpc_proxy", "https_proxy", "http_proxy")

_lock = threading.RLock()
_open: dict[tuple[int, str], SparkSession] = {}  # by process id and remote; one at most
_servers: dict[int, SparkConnectServer] = {}  # by process id, since a fork inherits this module


def session_for(remote: str) -> SparkSession:
    """The session of a remote: "" (embedded server), an `sc://` URL or a JVM master (`local[*]`).

    A session that was stopped is replaced. Session and embedded server end with the process.
    Raises InvalidInput for another remote, BikecastError where no session can be opened.
    """
    engine = _engine(remote)
    with _lock:
        key = (os.getpid(), remote)
        session = _open.get(key)
        if session is not None and not _is_stopped(session):
            return session
        _close_session()
        try:
            address = _embedded_address() if engine == "embedded" else remote
            hidden = _OTHER_ENGINE + (_OF_CLUSTERS if engine == "embedded" else ())
            with _hidden_variables(hidden):
                session = _new_session(engine, address)
        except Exception as error:
            raise BikecastError(_advice(engine, remote, error)) from error
        _open[key] = session
        # Last registered runs first: before PySpark's own exit hook, which asks the server.
        atexit.unregister(stop_all)
        atexit.register(stop_all)
        return session


def stop_all() -> None:
    """Stop this process's session and its embedded server."""
    with _lock:
        _close_session()
        server = _servers.pop(os.getpid(), None)
        if server is not None and server.running:
            server.stop()


def _close_session() -> None:
    for key in [key for key in _open if key[0] == os.getpid()]:
        session: Any = _open.pop(key)
        if _is_stopped(session):
            continue
        if key[1].startswith("sc://") and not _answers(key[1]):
            session.release_session_on_close = False
        session.stop()


def _engine(remote: str) -> str:
    """Which kind of engine a remote is; raises InvalidInput where it is none."""
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


@contextmanager
def _hidden_variables(names: Iterable[str]) -> Iterator[None]:
    """Take variables that are meant for other tools out of the environment for a while."""
    values = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        for name in values:
            os.environ.setdefault(name, values[name])


def _embedded_address() -> str:
    server = _servers.get(os.getpid())
    if server is None or not server.running:
        # The engine's log lines are for its developers; a user who wants them sets RUST_LOG.
        os.environ.setdefault("RUST_LOG", "off")
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        _servers[os.getpid()] = server
    address = server.listening_address
    if address is None:
        raise RuntimeError("it did not start")
    return f"sc://{address[0]}:{address[1]}"


def _new_session(engine: str, address: str) -> SparkSession:
    from dagster_pyspark import LazyPySparkResource

    config: dict[str, Any] = {"spark.remote": address}
    if engine == "connect":
        _connect(address)
    if engine == "jvm":
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        # PySpark leaves it behind for children of a process with a Connect session.
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
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
    if engine != "jvm":
        from pyspark.sql.connect.client.retries import DefaultPolicy

        policy = DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_WAIT_MS)
        session.client.set_retry_policies([policy])
    session.range(1).count()  # a session opens without asking the server anything
    return session


def _connect(remote: str) -> None:
    """Open and close a TCP connection to an sc:// URL's server; raises OSError."""
    url = urlsplit(remote)
    place = (url.hostname or "", url.port or _DEFAULT_PORT)
    socket.create_connection(place, timeout=CONNECT_SECONDS).close()


def _answers(remote: str) -> bool:
    try:
        _connect(remote)
    except OSError:
        return False
    return True


def _is_stopped(session: Any) -> bool:
    """Whether either kind of session was stopped, by us or by somebody else."""
    if hasattr(session, "is_stopped"):
        return bool(session.is_stopped)
    return getattr(session.sparkContext, "_jsc", None) is None


def _advice(engine: str, remote: str, error: Exception) -> str:
    reason = first_line(error)
    if engine == "jvm":
        return f"cannot start a JVM Spark session ({reason}); {remote} needs Java 17 or later"
    where = "the embedded Spark server" if engine == "embedded" else _shown(remote)
    return f"cannot open a Spark session on {where}: {reason}"


def _shown(remote: str) -> str:
    """A remote for people: without the parameters of an sc:// URL, which may hold a token."""
    return remote.split("/;", 1)[0].split(";", 1)[0]
