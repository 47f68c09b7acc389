"""Whether a training can have its base: looked for on this machine, then asked of the model hub, before anything else is done."""

import threading
import urllib.error
import urllib.request
from pathlib import Path

from model.errors import BaseUnavailable
from model.settings import BASES_WITHOUT_HUB

HUB_PATIENCE_S = 8.0
WAYS_OUT = (
    f"Ways out: `BETO_BASE={BASES_WITHOUT_HUB[0]}` or `--base {BASES_WITHOUT_HUB[0]}`, the pretrained encoder that comes as a "
    "Python package; a local folder with the checkpoint (config.json, weights, tokenizer); a mirror of the hub by HF_ENDPOINT; "
    "or the small network that knows no Spanish yet, for trying things out: `--base mini`."
)


def require_base(base: str) -> None:
    """Raise BaseUnavailable, with the reason and the ways out, where a training from `base` could not begin.

    Asks the hub for what is not on this machine: one small request, answered or given up within HUB_PATIENCE_S.
    """
    if base == "e5":
        from model.learning.bases import e5  # numpy, which who only looks at runs needs not pay for

        if not e5.is_installed():
            e5.PACKAGED.read()  # says what to install
    elif base not in BASES_WITHOUT_HUB and not is_here(base):
        ask_hub(base)


def is_folder(base: str) -> bool:
    """Return whether `base` means a folder, by its form or because there is one."""
    return Path(base).expanduser().exists() or base.startswith(("/", ".", "~"))


def is_here(base: str) -> bool:
    """Return whether `base` is a folder with a checkpoint, or a name in the hub client's cache.

    BaseUnavailable for a folder without one, and for what is no name that a hub could have.
    """
    if is_folder(base):
        folder = Path(base).expanduser()
        if not (folder / "config.json").is_file():
            raise BaseUnavailable(f"{folder} is no checkpoint: it has no config.json. {WAYS_OUT}")
        return True
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(base, "config.json"), str)
    except ValueError as error:
        raise BaseUnavailable(f"{base!r} is neither a folder nor a hub name: {error}. {WAYS_OUT}") from None


def ask_hub(base: str) -> None:
    """Raise BaseUnavailable unless the hub has `base`; its own client would try for 46 s before it says so."""
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise BaseUnavailable(f"{base!r} is not in the cache, and HF_HUB_OFFLINE is set. {WAYS_OUT}")
    hub = constants.ENDPOINT
    token = get_token()
    failure = [f"{hub} cannot be reached: no answer within {HUB_PATIENCE_S:.0f} s"]

    def call() -> None:
        try:
            request = urllib.request.Request(  # noqa: S310 - the operator's URL
                f"{hub}/{base}/resolve/main/config.json",
                method="HEAD",
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )
            with urllib.request.urlopen(request, timeout=HUB_PATIENCE_S) as answer:  # noqa: S310 - the operator's URL
                if answer.headers.get_content_type() == "text/html":
                    failure[0] = f"{hub} answers with a web page, as a proxy does that wants somebody to log in"
                    return
        except urllib.error.HTTPError as answer:
            answer.close()
            failure[0] = f"{hub} answers {answer.code} ({answer.reason}) when asked for it"
            if answer.code in {401, 403, 404}:
                failure[0] += ": the name is wrong, or it wants a token (HF_TOKEN)"
            return
        except (OSError, ValueError) as error:
            failure[0] = f"{hub} cannot be reached: {getattr(error, 'reason', error)}"
            return
        failure.clear()

    # A thread, because the name look-up knows no time limit.
    thread = threading.Thread(target=call, name="hub", daemon=True)
    thread.start()
    thread.join(HUB_PATIENCE_S + 1)
    if failure:
        raise BaseUnavailable(f"{base!r} is not on this machine and {failure[0]}. {WAYS_OUT}")
