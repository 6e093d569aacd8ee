"""Settings: flag, then environment, then .env, then default; one typed class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from resources.errors import InvalidInput

#: The folder of the checkout: the three packages are installed editable, as an application.
PROJECT = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """What one installation is told from outside; every field is `BIKECAST_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="BIKECAST_", env_file=PROJECT / ".env", extra="ignore", frozen=True
    )

    env: Literal["local"] = Field("local", description="Environment")
    home: Path = Field(PROJECT / ".bikecast", description="Folder of all local state")
    csv: str | None = Field(None, description="Training CSV: path, URL or 'sample'")
    forecast: str | None = Field(None, description="Forecast CSV: path, URL or 'sample'")
    budget: float = Field(20.0, ge=1, le=86_400, description="Longest training, in seconds")
    spark_remote: str = Field("", description="'' embedded, an sc:// URL, or local[*]")
    ui_port: int = Field(3000, ge=1, le=65_535, description="Port of `bikecast ui`")
    poll_seconds: int = Field(5, ge=1, le=3_600, description="Pause between polls of a job")


def load_settings(**flags: object) -> Settings:
    """Read the settings; a flag that is not None goes before the environment.

    Raises InvalidInput with every problem in one message, each by its variable's name.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        problems = [
            f"BIKECAST_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            f" (it is {item['input']!r})"
            for item in error.errors()
        ]
        raise InvalidInput(
            "The settings are not valid; nothing was started.\n  "
            + "\n  ".join(problems)
            + "\nCorrect them in the environment or in .env."
        ) from None
