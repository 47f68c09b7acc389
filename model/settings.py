"""Settings that every process shares: where things are kept and which network is used."""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from model.schema import Preference

PRODUCTION_BASE = "dccuchile/bert-base-spanish-wwm-cased"
# What can be fine-tuned where no model hub is reached. Whoever meets that is told of the first.
BASES_WITHOUT_HUB = ("e5", "mini")


# Eight weeks and the one that is not over.
LEAST_MESSAGES_DAYS = 63

# Names the file that is read beside the environment; empty: none. Set for the processes that `beto up` and `beto demo` start.
ENV_FILE = "BETO_ENV_FILE"


def env_file() -> str | None:
    """Return the file that settings are read from beside the environment; None for none."""
    return os.environ.get(ENV_FILE, ".env") or None


class ModelSettings(BaseSettings):
    """Settings from the environment (`BETO_...`) and, where the environment says nothing, from `.env` in the working directory.

    A variable that is empty stands for the default, and hides the one in `.env`.
    """

    model_config = SettingsConfigDict(
        env_prefix="BETO_",
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,  # it may be a password
    )

    home: Path = Field(default=Path("~/.beto"), description="where versions, the SQLite file and logs are kept")
    database_url: str = Field(default="", repr=False, description="PostgreSQL URL; empty: SQLite in BETO_HOME")
    base: str = Field(default=PRODUCTION_BASE, description="checkpoint to fine-tune: `e5`, `mini`, a folder, or a hub name")
    labels: str = Field(
        default="",
        description="a YAML file with the labels to begin with, read while nobody has changed any yet; empty: those of a bank",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where the network runs")
    train_within_min: float = Field(
        default=0, ge=0, description="minutes of training after which a run ends with what it has learnt; 0: when it is done"
    )
    promotion: Literal["auto", "ask"] = Field(
        default="auto", description="a better version goes live by itself, or when somebody presses the button"
    )
    label_margin: float = Field(default=0.15, ge=0, le=1, description="F1 that no label may lose when a version goes live")
    prefer_recall: str = Field(
        default="",
        description="labels of which no message is to be missed, by commas, as in `fraude,urgente`: they are given from a lower "
        "probability on; what is chosen in `/beto etiquetas` counts more",
    )
    prefer_precision: str = Field(
        default="", description="labels that are to be right wherever they are given, likewise: from a higher probability on"
    )
    keep_versions: int = Field(default=10, ge=2, description="how many versions keep their folder")

    mask_personal: bool = Field(
        default=True,
        description="replace card, account, cédula and telephone numbers and e-mail addresses by words before a text is kept",
    )
    retention_days: int = Field(
        default=30, ge=0, description="days after which a text that nobody corrected is removed; 0: never"
    )
    retention_corrected_days: int = Field(
        default=0, ge=0, description="days after which a text that somebody corrected is removed; 0: never"
    )
    retention_messages_days: int = Field(
        default=400,
        ge=0,
        description="days after which a message whose text was removed is removed itself, with its labels and what was said of "
        "it; 0: never",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it has read its file already, whatever BETO_ENV_FILE says
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - we have no such files
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where settings come from, what wins first: arguments, environment, file."""
        file = DotEnvSettingsSource(settings_cls, env_file=env_file())
        return init_settings, env_settings, file

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, values: Any) -> Any:
        return {name: value for name, value in values.items() if value != ""} if isinstance(values, dict) else values

    @field_validator("prefer_precision")
    @classmethod
    def _one_preference_a_label(cls, listed: str, info: ValidationInfo) -> str:
        """Refuse a label in both lists; whether there are such labels the database knows."""
        if both := set(_names(listed)) & set(_names(info.data.get("prefer_recall", ""))):
            raise ValueError(f"BETO_PREFER_RECALL names {', '.join(sorted(both))}, too: a label is in one of the two lists")
        return listed

    @field_validator("retention_messages_days")
    @classmethod
    def _long_enough_for_figures(cls, days: int) -> int:
        """Refuse days in which `/beto cifras` could not count what it tells of."""
        if 0 < days < LEAST_MESSAGES_DAYS:
            least = f"{LEAST_MESSAGES_DAYS} at least, or 0 for ever"
            raise ValueError(f"{days} days are too few, since `/beto cifras` tells of eight weeks: {least}")
        return days

    @property
    def preferences(self) -> dict[str, Preference]:
        """Return the labels of BETO_PREFER_RECALL and BETO_PREFER_PRECISION with what is preferred of them."""
        found: dict[str, Preference] = dict.fromkeys(_names(self.prefer_recall), "recall")
        return found | dict.fromkeys(_names(self.prefer_precision), "precision")

    @property
    def home_folder(self) -> Path:
        """Return BETO_HOME with `~` expanded; it may not exist yet."""
        return self.home.expanduser()

    @property
    def labels_file(self) -> Path | None:
        """Return the file of BETO_LABELS with `~` expanded; None where there is none."""
        return Path(self.labels).expanduser() if self.labels else None

    @property
    def store_url(self) -> str:
        """Return the SQLAlchemy URL of the database."""
        return sqlalchemy_url(self.database_url or f"sqlite:///{self.home_folder / 'beto.db'}")


def _names(listed: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in listed.split(",") if each.strip())


def sqlalchemy_url(url: str) -> str:
    """Return the URL of a database with the driver that we ship: plain postgresql:// would ask for psycopg2."""
    return url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1)
