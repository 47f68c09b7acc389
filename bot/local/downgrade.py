"""`beto downgrade`: the database goes back to what an older release reads."""

from bot.settings import BotSettings
from model.errors import BadData
from model.store.database import Database
from model.store.schema import RELEASES


def downgrade(settings: BotSettings, release: str) -> str:
    """Bring the database back to the tables of `release`, and return a sentence with what was done.

    BadData where there is no such release, or the database is older already; BadSetting while anybody is connected. After an
    error it is as it was.
    """
    if release not in RELEASES:
        raise BadData(f"there is no release {release} to go back to: {', '.join(RELEASES)}")
    database = Database(settings.store_url)
    if database.file is not None and not database.file.exists():
        raise BadData(f"there is no database at {database.file}")
    try:
        before, after = database.go_back(RELEASES[release])
    finally:
        database.close()
    return f"the database went back from migration {before} to {after}: install version {release} now, before anything is started"
