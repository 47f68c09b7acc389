"""What can go wrong in `model`, each with a sentence that names the thing and the way out."""


class ModelError(Exception):
    """Base of everything that `model` raises on purpose; its text is meant for an operator."""


class BadSetting(ModelError):
    """A setting that cannot be used; the message names the variable and what it should be."""


class BadData(ModelError):
    """A data file holds something that cannot be used; the message names the file and the line."""


class UnknownLabel(BadData):
    """A label that the taxonomy, or the version at hand, does not know."""


class BrokenVersion(ModelError):
    """A version's folder is missing, half written or altered; another version must serve."""


class BaseUnavailable(ModelError):
    """The base checkpoint can be found neither on disk nor on a hub."""


class StoreUnavailable(ModelError):
    """The database does not answer."""


class RunLost(ModelError):
    """A training run is over, or another process has taken it over."""


class RunCancelled(ModelError):
    """Somebody wants the training run to end."""
