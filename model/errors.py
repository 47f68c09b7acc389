"""What can go wrong in `model`, each with a sentence that names the thing and the way out."""


class ModelError(Exception):
    """The base of everything that `model` raises on purpose; its text is meant for an operator."""


class BadSetting(ModelError):
    """A setting that cannot be used; the message names the variable and what it should be."""


class BadData(ModelError):
    """Something in a data file that cannot be used; the message names the file and the line."""


class UnknownLabel(BadData):
    """A label that the taxonomy, or the version at hand, does not know."""


class BrokenVersion(ModelError):
    """A version whose folder is missing, half written or altered; another one must serve."""


class BaseUnavailable(ModelError):
    """A base checkpoint that is neither on disk nor on a hub."""


class StoreUnavailable(ModelError):
    """A database that does not answer."""


class RunLost(ModelError):
    """A training run that is over, or that another process has taken over."""


class RunCancelled(ModelError):
    """A training run that somebody cancelled."""
