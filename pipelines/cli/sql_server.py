"""`bikecast sql-server`: the embedded pool for SQL Server's own drivers."""

from __future__ import annotations

import logging
import signal
from types import FrameType

from pydantic import Field, SecretStr

from bikecast.core.errors import BikecastError, InvalidInput
from pipelines.cli.console import stderr_console
from pipelines.environments import sql_pool_for
from pipelines.home import open_home
from pipelines.settings import Settings, load_settings

LOCAL = ("127.0.0.1", "localhost", "::1")


class SqlServerSettings(Settings):
    """Settings of the SQL server alone, so that no other command reads its secrets."""

    sql_user: str = Field("", description="User that may log in")
    sql_password: SecretStr = Field(SecretStr(""), description="Password of that user")
    sql_token: SecretStr = Field(SecretStr(""), description="Entra access token that may log in")


def sql_server_command(port: int, host: str, *, tls: bool) -> None:
    """Serve the pool until Ctrl-C.

    Raises InvalidInput without credentials, and for an open address without TLS; BikecastError
    where the port is taken.
    """
    from bikecast.embedded.sql_pool.tds.certificate import server_context
    from bikecast.embedded.sql_pool.tds.login import Credentials
    from bikecast.embedded.sql_pool.tds.server import SqlServer

    load_settings()  # its errors are worded for people
    settings = SqlServerSettings()
    credentials = Credentials(
        settings.sql_user,
        settings.sql_password.get_secret_value(),
        settings.sql_token.get_secret_value(),
    )
    _check(credentials.user, credentials.password, credentials.token)
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
    server = SqlServer(sql_pool_for(home), credentials, host=host, port=port, context=context)

    def stop(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGTERM, stop)
    with server:
        encryption = f"TLS, certificate {home.root / 'server.pem'}" if tls else "no TLS"
        stderr_console().print(
            f"SQL pool: {host},{server.port}  ({encryption}; stop with Ctrl-C)", highlight=False
        )
        server.wait()


def _check(user: str, password: str, token: str) -> None:
    if not token and not (user and password):
        raise InvalidInput(
            "Nobody could log in: set BIKECAST_SQL_USER and BIKECAST_SQL_PASSWORD, or "
            "BIKECAST_SQL_TOKEN, in the environment or in .env. Nothing was started."
        )
