"""`bikecast sql-server`: the embedded pool for SQL Server's own drivers."""

from __future__ import annotations

import logging
import os
import signal
from typing import Annotated

import typer

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.cli.output import say

LOCAL = ("127.0.0.1", "localhost", "::1")


def sql_server(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 1433,
    tls: Annotated[
        bool, typer.Option("--tls", help="Encrypt, with a self-signed certificate of the home.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve the SQL pool to SQL Server's drivers (TDS): pyodbc, mssql-python, sqlcmd.

    Who may log in: BIKECAST_SQL_USER with BIKECAST_SQL_PASSWORD, or the bearer of the access
    token BIKECAST_SQL_TOKEN. Stop with Ctrl-C.

    Example: `BIKECAST_SQL_USER=me BIKECAST_SQL_PASSWORD=... bikecast sql-server --tls`
    """
    from bikecast.core.onnx import session
    from bikecast.embedded.sql_pool import Credentials, Limits, Pool, serve, server_context
    from pipelines.home import open_home
    from pipelines.settings import SqlServerSettings, load_settings

    settings, logins = load_settings(), SqlServerSettings.load()
    credentials = Credentials(
        logins.sql_user,
        logins.sql_password.get_secret_value(),
        logins.sql_token.get_secret_value(),
    )
    if not credentials.token and not (credentials.user and credentials.password):
        raise InvalidInput(
            "Nobody could log in: set BIKECAST_SQL_USER and BIKECAST_SQL_PASSWORD, or "
            "BIKECAST_SQL_TOKEN, in the environment or in .env. Nothing was started."
        )
    if host not in LOCAL and not tls:
        raise InvalidInput(
            f"The server would send passwords over the network in clear text on {host}. Nothing "
            "was started; add --tls, or leave --host out."
        )
    home = open_home(settings)
    try:
        context = server_context(home.root, (host,)) if tls else None
    except OSError as error:
        raise BikecastError(
            f"The certificate {home.root / 'server.pem'} cannot be used: {error}. Nothing was "
            "started; delete that file to have a new one made."
        ) from error
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    limits = Limits(
        max_tokens=logins.sql_max_tokens,
        session_bytes=logins.sql_session_mb << 20,
        server_bytes=logins.sql_server_mb << 20,
    )
    pool = Pool(home.pool, home.lake, limits, database=settings.sql_database)
    session.memory_mb = logins.sql_models_mb
    with serve(pool, host, port, credentials, context=context) as server:
        encryption = f"TLS, certificate {home.root / 'server.pem'}" if tls else "no TLS"
        say(f"SQL pool: {host},{server.port}  ({encryption}; stop with Ctrl-C)")
        try:
            server.wait()
        except KeyboardInterrupt:
            if not server.close():
                say("A statement did not end; what it had not committed is undone.")
            logging.shutdown()
            os._exit(130)  # the interpreter would wait for the thread of such a statement
