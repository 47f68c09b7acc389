"""Settings of the processes that talk to Slack."""

import difflib
import os
import re
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator

from model.networks import Network, networks
from model.reactions import Signs, read_emoji, read_signs
from model.settings import ENV_FILE, env_file
from worker.settings import WorkerSettings

SLACK_API_URL = "https://slack.com/api/"
# Where Slack posts to in HTTP mode.
EVENTS_PATH = "/slack/events"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class BotSettings(WorkerSettings):
    """Settings of `bot` and `replies`: the tokens come from Slack's own variable names."""

    slack_bot_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SLACK_BOT_TOKEN"), description="xoxb-..., from OAuth"
    )
    slack_app_token: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SLACK_APP_TOKEN"), description="xapp-..., Socket Mode"
    )
    slack_signing_secret: SecretStr = Field(
        default=SecretStr(""), validation_alias=AliasChoices("SLACK_SIGNING_SECRET"), description="HTTP mode only"
    )
    slack_api_url: str = Field(
        default=SLACK_API_URL,
        validation_alias=AliasChoices("SLACK_API_URL"),
        description="another only for the simulator",
    )
    language: Literal["es", "en"] = Field(
        default="es",
        description="of what stands in channels, and of what people see whose Slack is in neither Spanish nor English",
    )
    judges: str = Field(
        default="", description="whose corrections count: user ids and one user group's id, by commas; empty: everybody's"
    )
    experts: str = Field(default="", description="whose word outweighs the others', likewise; empty: nobody's")
    guests_judge: bool = Field(default=False, description="count guests and people from other organisations too")
    blind_percent: float = Field(
        default=2.0,
        ge=0,
        le=100,
        description="share of a watched channel's messages whose labels are hidden until somebody judged",
    )
    trainers: str = Field(
        default="",
        description="who may retrain, promote and go back, likewise, but no guest; empty: the workspace's admins and owners",
    )
    label_editors: str = Field(
        default="",
        description="who may change the team's labels, likewise; empty: whoever may retrain",
    )
    route_editors: str = Field(
        default="",
        description="who may make routes and switch them, likewise; empty: whoever may retrain",
    )
    webhooks_into: str = Field(
        default="",
        description="networks of your own into which routes may call webhooks, by commas, as in `10.0.0.0/8`; empty: only the "
        "public internet",
    )
    leads: str = Field(
        default="",
        description="who settles disputes and sees how far people agree, likewise; empty: whoever may retrain",
    )
    signs: str = Field(
        default="",
        description="other emoji for what is said of all labels at once, by Slack's names, as in `correct=thumbsup,none=zero`; "
        "empty, and what is left out: `correct=white_check_mark,wrong=x,none=no_entry_sign`",
    )
    label_emoji: str = Field(
        default="",
        description="other emoji for labels, by the labels' names, as in `tarjeta=visa,fraude=alarma`; `tarjeta=`: no emoji",
    )
    ask_a_day: int = Field(
        default=3,
        ge=0,
        description="of so many messages a day, where it is least sure, it asks the author in the thread; 0: of none",
    )
    review_goal: int = Field(
        default=10,
        ge=0,
        description="so many messages a day are meant for each who reviews, as `/beto revisa` tells; 0: no number",
    )
    review_blind_every: int = Field(
        default=5,
        ge=0,
        description="one of so many messages of a review is a random one without labels, to measure how often they are right; "
        "0: none",
    )
    screens: Literal["native", "classic"] = Field(
        default="native",
        description="`native`: Slack's newer blocks, and the older ones where the workspace does not take those; `classic`: the "
        "older ones for ever",
    )
    slack_rate: float = Field(
        default=1.0, ge=0, description="calls that we allow ourselves, in times Slack's published limits; 0: until Slack says no"
    )
    newest_first: bool = Field(default=False, description="where a channel's replies must wait, the newest message comes first")
    digest_after: int = Field(
        default=60, ge=0, description="so many messages waiting in a channel are answered together, by one post; 0: never"
    )
    http_host: str = Field(default="127.0.0.1", description="HTTP mode: the address to listen on")
    http_port: int = Field(default=3000, ge=1, le=65535, description="HTTP mode: the port to listen on")

    public_url: str = Field(
        default="", description="HTTP mode: https://YOUR-HOST/slack/events as Slack was given it; `beto doctor` tries it"
    )

    @field_validator("signs")
    @classmethod
    def _signs_are_three(cls, setting: str) -> str:
        """Refuse signs that there are not, what is no emoji's name, and one emoji for two signs."""
        read_signs(setting)
        return setting

    @field_validator("label_emoji")
    @classmethod
    def _labels_have_emoji(cls, setting: str) -> str:
        """Refuse what cannot be read, and one emoji for two labels; whether there are such labels the database knows."""
        read_emoji(setting, may_be_empty=True)
        return setting

    @cached_property
    def sign_emoji(self) -> Signs:
        """The signs of BETO_SIGNS."""
        return read_signs(self.signs)

    @cached_property
    def label_emoji_by_name(self) -> dict[str, str]:
        """The emoji of BETO_LABEL_EMOJI by their labels' names."""
        return read_emoji(self.label_emoji, may_be_empty=True)

    @field_validator("webhooks_into")
    @classmethod
    def _networks(cls, listed: str) -> str:
        try:
            networks(listed)
        except ValueError as error:
            raise ValueError(f"{error}: networks are written as 10.0.0.0/8, several of them by commas") from None
        return listed

    @cached_property
    def webhook_networks(self) -> tuple[Network, ...]:
        """The networks of BETO_WEBHOOKS_INTO."""
        return networks(self.webhooks_into)

    @field_validator("judges", "experts", "trainers", "label_editors", "route_editors", "leads")
    @classmethod
    def _ids_of_people_and_groups(cls, listed: str) -> str:
        for each in _ids(listed):
            if re.fullmatch(r"[UWS][A-Z0-9]+", each) is None:
                raise ValueError(
                    f"{each!r} is no id. People's begin with U or W, user groups' with S, in capitals and digits: in Slack, open "
                    "the profile of the person or of the group, then the menu with three dots, Copy member ID or Copy group ID"
                )
        return listed

    @field_validator("public_url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in {"https", "http"} or not parts.hostname or parts.path != EVENTS_PATH):
            raise ValueError(f"{url!r} is not the address that Slack is given: https://YOUR-HOST{EVENTS_PATH}")
        return url

    @cached_property
    def judge_ids(self) -> tuple[str, ...]:
        """The ids of BETO_JUDGES: people's, and user groups' that begin with S."""
        return _ids(self.judges)

    @cached_property
    def expert_ids(self) -> tuple[str, ...]:
        """The ids of BETO_EXPERTS, likewise."""
        return _ids(self.experts)

    @cached_property
    def trainer_ids(self) -> tuple[str, ...]:
        """The ids of BETO_TRAINERS, likewise."""
        return _ids(self.trainers)

    @cached_property
    def label_editor_ids(self) -> tuple[str, ...]:
        """The ids of BETO_LABEL_EDITORS, likewise."""
        return _ids(self.label_editors)

    @cached_property
    def route_editor_ids(self) -> tuple[str, ...]:
        """The ids of BETO_ROUTE_EDITORS, likewise."""
        return _ids(self.route_editors)

    @cached_property
    def lead_ids(self) -> tuple[str, ...]:
        """The ids of BETO_LEADS, likewise."""
        return _ids(self.leads)

    @property
    def is_local(self) -> bool:
        """Return whether Slack is a simulator on this machine."""
        return (urlsplit(self.slack_api_url).hostname or "") in LOOPBACK

    def complaints(self, *, http: bool) -> list[str]:
        """Return what is missing or wrong before Slack is even asked: a sentence each, with the variable and the way out."""
        found = []
        bot, app = self.slack_bot_token.get_secret_value(), self.slack_app_token.get_secret_value()
        if not bot.startswith("xoxb-"):
            found.append(
                f"SLACK_BOT_TOKEN is {'missing' if not bot else 'no bot token'}: copy the one that begins with xoxb- "
                "from your app's page, OAuth & Permissions"
            )
        if http and not self.slack_signing_secret.get_secret_value():
            found.append("SLACK_SIGNING_SECRET is missing: copy it from your app's page, Basic Information")
        if not http and not app.startswith("xapp-"):
            found.append(
                f"SLACK_APP_TOKEN is {'missing' if not app else 'no app-level token'}: make one that begins with xapp- "
                "with the scope connections:write on your app's page, Basic Information"
            )
        return found


def variables() -> dict[str, str]:
    """Return the name of each setting's variable, by the setting's name."""
    names = {}
    for setting, field in BotSettings.model_fields.items():
        alias = field.validation_alias
        names[setting] = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"BETO_{setting.upper()}"
    return names


def misspelt() -> list[str]:
    """Return a sentence for each variable, in the environment or in `.env`, that looks like ours and is no setting.

    All that begin with BETO_; of those that begin with SLACK_ only what is nearly one of ours, since others have theirs.
    """
    known = {*variables().values(), ENV_FILE}
    file = env_file()
    named = {name.upper() for name in (*os.environ, *(dotenv_values(file) if file is not None else ()))}
    found = []
    for name in sorted(named - known):
        likely = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if likely and name.startswith(("BETO_", "SLACK_")):
            found.append(f"{name} is no setting and changes nothing: is {likely[0]} meant?")
        elif name.startswith("BETO_"):
            found.append(f"{name} is no setting and changes nothing: docs/operations.md lists those that there are")
    return found


def wrong_settings(error: ValidationError) -> dict[str, str]:
    """Return what is wrong with each setting that cannot be used, by the setting's name."""
    by_variable = {variable: setting for setting, variable in variables().items()}
    return {
        by_variable.get(str(each["loc"][0]), str(each["loc"][0])): each["msg"].removeprefix("Value error, ")
        for each in error.errors(include_url=False)
    }


def _ids(listed: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in listed.split(",") if each.strip())
