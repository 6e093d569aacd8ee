"""Settings: flag, then environment, then .env, then default; one typed class."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bikecast.core.errors import InvalidInput

#: The folder of the checkout: the packages are installed editable, as an application.
PROJECT = Path(__file__).resolve().parents[1]

_GUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_SAMPLE, _STANDARD_INPUT = "sample", "-"
#: Fields whose values no message shows.
_SECRET = {("alert_webhook",), ("spark_remote",)}
#: Clouds other than the public one, by what their hosts end with and by their own names.
_CLOUDS = {
    "login.microsoftonline.us": "AzureUSGovernment",
    "azuresynapse.usgovcloudapi.net": "AzureUSGovernment",
    "login.chinacloudapi.cn": "AzureChinaCloud",
    "login.partner.microsoftonline.cn": "AzureChinaCloud",
    "azuresynapse.azure.cn": "AzureChinaCloud",
    "login.microsoftonline.de": "AzureGermanCloud",
}
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$"


class AzureSettings(BaseSettings):
    """Where the azure environment is, by the names that Azure's own tools use.

    AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TOKEN_CREDENTIALS are read by
    the Azure SDK itself.
    """

    model_config = SettingsConfigDict(
        env_file=PROJECT / ".env", extra="ignore", frozen=True, case_sensitive=True
    )

    subscription_id: str = Field(
        alias="AZURE_SUBSCRIPTION_ID", pattern=_GUID, description="Subscription"
    )
    resource_group: str = Field(
        alias="AZURE_RESOURCE_GROUP", pattern=r"^[\w().-]{1,90}$", description="Resource group"
    )
    ml_workspace: str = Field(
        alias="AZUREML_WORKSPACE_NAME", pattern=_NAME, description="Azure ML workspace"
    )
    ml_compute: str = Field(
        "", alias="AZUREML_COMPUTE", description="Compute cluster; empty for serverless compute"
    )
    synapse_workspace: str = Field(
        alias="SYNAPSE_WORKSPACE_NAME", pattern=r"^[a-z0-9-]{1,50}$", description="Synapse"
    )
    spark_pool: str = Field(alias="SYNAPSE_SPARK_POOL", pattern=_NAME, description="Spark pool")
    sql_pool: str = Field(alias="SYNAPSE_SQL_POOL", pattern=_NAME, description="SQL pool")
    sql_endpoint: str = Field(
        "",
        alias="SYNAPSE_SQL_ENDPOINT",
        pattern=r"^([A-Za-z0-9.-]+(,\d{1,5})?)?$",
        description="Host, or host,port, of a private endpoint or tunnel to the SQL pool; empty: "
        "WORKSPACE.sql.azuresynapse.net, whose certificate is expected in each case",
    )
    sql_user: str = Field(
        "",
        alias="SYNAPSE_SQL_USER",
        description="SQL login, with its password in SYNAPSE_SQL_PASSWORD; empty: Entra token",
    )
    livy_lag: float = Field(
        120.0,
        alias="SYNAPSE_LIVY_LAG_SECONDS",
        ge=0,
        description="How far Livy's list of batches may lag behind a submission",
    )
    spark_limit: float = Field(
        7200.0,
        alias="SYNAPSE_SPARK_LIMIT_SECONDS",
        gt=0,
        description="A Spark batch that is older is canceled and reported",
    )
    odbc_driver: str = Field(
        "ODBC Driver 18 for SQL Server",
        alias="SYNAPSE_ODBC_DRIVER",
        min_length=1,
        description="Name of the ODBC driver, or the path of its shared object",
    )
    synapse_link: str = Field(
        "synapse",
        alias="AZUREML_SYNAPSE_LINK",
        pattern=_NAME,
        description="Name of the linked service of Synapse in Azure ML",
    )
    spark_compute: str = Field(
        "synapsespark",
        alias="AZUREML_SPARK_COMPUTE",
        pattern=r"^[A-Za-z][A-Za-z0-9-]{0,14}[A-Za-z0-9]$",
        description="Name of the attached Spark pool in Azure ML",
    )
    spark_machine: str = Field(
        "",
        alias="AZUREML_SPARK_MACHINE",
        pattern=r"^(standard_e(4|8|16|32|64)s_v3)?$",
        description="Machine of serverless Spark: standard_e4s_v3 ...; empty: the attached pool",
    )
    cloud: str = Field(
        "", alias="AZUREML_CURRENT_CLOUD", description="Only AzureCloud, the public one"
    )
    authority: str = Field(
        "", alias="AZURE_AUTHORITY_HOST", description="Only login.microsoftonline.com"
    )
    account: str = Field(
        alias="DATALAKE_ACCOUNT", pattern=r"^[a-z0-9]{3,24}$", description="ADLS Gen2 account"
    )
    container: str = Field(
        "files", alias="DATALAKE_CONTAINER", pattern=r"^[a-z0-9-]{3,63}$", description="Container"
    )

    @field_validator("cloud", "authority")
    @classmethod
    def _is_public(cls, value: str) -> str:
        """Other clouds have other hosts, which no adapter knows."""
        name = value.removeprefix("https://").rstrip("/")
        if name not in ("", "AzureCloud", "login.microsoftonline.com"):
            raise ValueError(
                f"{_CLOUDS.get(name, name)} is not supported: only the public cloud, AzureCloud"
            )
        return value

    @field_validator("sql_endpoint")
    @classmethod
    def _is_public_endpoint(cls, value: str) -> str:
        host = value.partition(",")[0].lower()
        for end, name in _CLOUDS.items():
            if host.endswith(f".{end}"):
                raise ValueError(f"{name} is not supported: only the public cloud, AzureCloud")
        return value


_OWN = SettingsConfigDict(
    env_prefix="BIKECAST_", env_file=PROJECT / ".env", extra="ignore", frozen=True
)


class HomeSettings(BaseSettings):
    """Where the home is; alone, it is known although other settings are wrong."""

    model_config = _OWN

    home: Path = Field(PROJECT / ".bikecast", description="Folder of all local state")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Relative paths count from the working directory, those of .env from the project."""
        sources: dict[PydanticBaseSettingsSource, Path] = {
            init_settings: Path.cwd(),
            env_settings: Path.cwd(),
            dotenv_settings: PROJECT,
            file_secret_settings: PROJECT,
        }
        return tuple(partial(_absolute_paths, *item) for item in sources.items())  # type: ignore[misc]


class Settings(HomeSettings):
    """What one installation is told from outside; every field is `BIKECAST_<NAME>`."""

    env: Literal["local", "azure"] = Field("local", description="Environment")
    model: str | None = Field(None, description="Name of the model that commands are about")
    csv: str | None = Field(None, description="Training CSV: path, glob, URL or 'sample'")
    forecast: str | None = Field(None, description="Forecast CSV: path, glob, URL or 'sample'")
    source_folders: str = Field(
        "",
        description="Folders below which a run's configuration may name files, separated as in "
        "PATH; default: the project, the home, and those of the files in the settings",
    )
    rename: str = Field("", description="Names of columns in the files: column=name, ...")
    delimiter: str = Field("", description="Delimiter of the files; empty: recognised")
    decimal: str = Field("", description="Decimal mark of the files, point or comma; likewise")
    date_format: str = Field("", description="Dates in the files, as strptime has it; likewise")
    encoding: str = Field("", description="Encoding of the files; likewise")
    start_date: str = Field("", description="Day of the first row of a forecast without days")
    max_table_mb: int = Field(
        1024, ge=1, description="MiB of a CSV that `automl` and `predict` read into memory"
    )
    budget: float | None = Field(
        None,
        ge=1,
        le=86_400,
        description="Seconds for the training at most; default: the model's max_training_hours",
    )
    max_trials: int = Field(0, ge=0, description="Models that a training tries at most; 0 for all")
    training_rows: int = Field(
        0, ge=0, description="Rows that a training reads at most; 0: as many as memory allows"
    )
    spark_remote: str = Field("", description="'' embedded, an sc:// URL, or local[*]")
    spark_via: Literal["synapse", "azureml"] = Field(
        "synapse", description="Who runs Spark in azure: the Synapse pool, or Azure ML's Spark jobs"
    )
    scoring: Literal["predict", "spark", "auto"] = Field(
        "predict", description="Score by PREDICT, on Spark, or by PREDICT where it can"
    )
    scoring_table: str = Field(
        "", description="Lake path of a Delta table to score on Spark; empty: the forecast"
    )
    ui_port: int = Field(3000, ge=1, le=65_535, description="Port of `bikecast ui`")
    ui_hosts: str = Field(
        "", description="Host names of the UI beyond this machine's, such as its proxy's; by comma"
    )
    sql_database: str = Field(
        "pool",
        pattern=_NAME,
        description="Name of the local SQL pool",
    )
    poll_seconds: int = Field(5, ge=1, le=3_600, description="Pause between polls of a job")
    dagster_config: Path = Field(PROJECT / "dagster.yaml", description="dagster.yaml of the home")
    prices: Path | None = Field(None, description="Price file; default: the project's own")
    cost_limit: float | None = Field(None, ge=0, description="Most that one run may cost")
    daily_partitions: bool = Field(
        False, description="Show the assets by day, or by row, in the graph"
    )
    always_promote: bool = Field(False, description="Make each new model live uncompared")
    alert_webhook: SecretStr = Field(SecretStr(""), description="http(s) address for alerts")

    _azure: AzureSettings | None = PrivateAttr(None)

    @property
    def azure(self) -> AzureSettings:
        """Where the azure environment is. Raises InvalidInput in another environment."""
        if self._azure is None:
            raise InvalidInput(
                "This command belongs to the azure environment, but BIKECAST_ENV is local; "
                "nothing was contacted. Set BIKECAST_ENV=azure and the settings of docs/azure.md."
            )
        return self._azure

    @property
    def ui_host_names(self) -> list[str]:
        """The names in `ui_hosts`, in lower case."""
        return [name.strip().lower() for name in self.ui_hosts.split(",") if name.strip()]

    @field_validator("model", "csv", "forecast")
    @classmethod
    def _empty_is_unset(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("ui_hosts")
    @classmethod
    def _are_host_names(cls, value: str) -> str:
        if any(character in value for character in "/:*@"):
            raise ValueError("host names only, without scheme, port and wildcard")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        address = value.get_secret_value()
        if address and not address.startswith(("https://", "http://")):
            raise ValueError("not an http(s) address")
        return value

    @field_validator("spark_remote")
    @classmethod
    def _has_no_token(cls, value: str) -> str:
        if "token=" in value.lower():
            raise ValueError(
                "Dagster shows it, so a token does not belong here; put it into "
                "SPARK_CONNECT_AUTHENTICATE_TOKEN, which PySpark reads"
            )
        return value

    @field_validator("scoring_table")
    @classmethod
    def _only_spark_scores_a_table_of_the_lake(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("scoring") == "predict":
            raise ValueError("PREDICT does not score it; set BIKECAST_SCORING to spark or auto")
        return value


class SqlServerSettings(BaseSettings):
    """Who may log in to the SQL server; apart, so that no other command reads these secrets."""

    model_config = _OWN

    sql_user: str = Field("", description="User that may log in")
    sql_password: SecretStr = Field(SecretStr(""), description="Password of that user")
    sql_token: SecretStr = Field(SecretStr(""), description="Entra access token that may log in")
    sql_max_tokens: int = Field(
        250_000, ge=1000, description="Words and signs of a batch; a literal or a name is one"
    )
    sql_session_mb: int = Field(
        1024, ge=16, description="MiB in memory that the results of one batch take"
    )
    sql_server_mb: int = Field(
        2048, ge=16, description="MiB in memory that the results of all connections take"
    )
    sql_models_mb: int = Field(
        2048, ge=64, description="MiB in memory that ONNX models ask for while they score"
    )

    @classmethod
    def load(cls) -> SqlServerSettings:
        """Read them; raises InvalidInput with every problem in one message."""
        try:
            return cls()
        except ValidationError as error:
            raise InvalidInput(
                "The settings are not valid; nothing was started.\n  "
                + "\n  ".join(_problems(error, "BIKECAST_"))
            ) from error


def _absolute_paths(source: PydanticBaseSettingsSource, base: Path) -> dict[str, object]:
    """What a source says, with its paths made absolute; "sample" and URLs are no paths."""
    values = dict(source())
    for name in ("home", "csv", "forecast", "dagster_config", "prices"):
        value = values.get(name)
        if value and value not in (_SAMPLE, _STANDARD_INPUT) and "://" not in str(value):
            values[name] = str(base / _expanded(str(value)))
    if folders := values.get("source_folders"):
        paths = [base / _expanded(each) for each in str(folders).split(os.pathsep) if each]
        values["source_folders"] = os.pathsep.join(map(str, paths))
    return values


def _expanded(path: str) -> Path:
    """The path with `~` as the home folder. Raises InvalidInput where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InvalidInput(
            f"{path!r} names the home folder of a user that there is not. Nothing was started; "
            "correct the path."
        ) from error


def load_settings(**flags: object) -> Settings:
    """Read the settings; a flag that is not None goes before the environment.

    In the azure environment they have its settings, checked too. Nothing is contacted.
    Raises InvalidInput with every problem in one message, each by its variable's name.
    """
    problems = [
        f"--{name} is empty; leave it out for its default, or say what it is"
        for name, value in flags.items()
        if value == ""
    ]
    settings: Settings | None = None
    azure: AzureSettings | None = None
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        problems += _problems(error, "BIKECAST_")
    except UnicodeDecodeError as error:
        problems.append(f"{PROJECT / '.env'} is not text in UTF-8: {error}")
    env = flags.get("env") or (settings.env if settings else os.environ.get("BIKECAST_ENV"))
    if env == "azure":
        try:
            azure = AzureSettings()
        except ValidationError as error:
            problems += _problems(error)
    if settings is None or problems:
        raise InvalidInput(
            "The settings are not valid; nothing was started.\n  "
            + "\n  ".join(problems)
            + "\nCorrect them on the command line, in the environment or in .env."
        )
    settings._azure = azure
    return settings


def _problems(error: ValidationError, prefix: str = "") -> list[str]:
    """One line a wrong variable."""
    lines = []
    for item in error.errors():
        name = prefix + "_".join(map(str, item["loc"])).upper()
        is_shown = item["type"] != "missing" and item["loc"] not in _SECRET
        shown = f" (it is {item['input']!r})" if is_shown else ""
        lines.append(f"{name}: {item['msg']}{shown}")
    return lines
