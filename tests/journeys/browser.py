"""The chat page in a real browser, used and read as a person does it. Importing this needs selenium."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium refuses to run as root with its sandbox, and in a container it has no other user
    "--disable-gpu",
    "--disable-dev-shm-usage",  # /dev/shm of a container holds 64 MB
    # What follows keeps the browser from asking the outside world for anything.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)
# Where a thread or a channel is drawn; a message stands in both when its thread is open.
CHANNEL, THREAD = "#main", "#thread"
# What an element says that was redrawn, or moved, just before it was clicked.
_REDRAWN = (StaleElementReferenceException, ElementClickInterceptedException)


def installed() -> tuple[str, str] | None:
    """Return the paths of Chromium and of its driver; None where one of them is missing."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def running_browser(browser: str, driver: str, profile: Path) -> Iterator[Chrome]:
    """Run Chromium without a screen, with an empty profile in that folder."""
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Both are named, so selenium looks for neither of them on the network.
    chrome = Chrome(options=options, service=Service(driver, log_output=os.devnull))
    try:
        yield chrome
    finally:
        chrome.quit()


class Window:
    """One window of the browser on the chat page, used by one person.

    Elements are named by selectors and looked up anew each time: the page re-renders a message whenever it changes. Where
    several match, the last visible one is taken, which among messages is the newest.
    """

    def __init__(self, chrome: Chrome, url: str) -> None:
        self.chrome = chrome
        self._url = url
        self._handle = chrome.current_window_handle

    # --- looking ---

    def see(self, css: str, says: str = "") -> str:
        """Wait for a visible element that contains the words `says`, and return its text."""
        return str(self.ask("one.innerText", css, says))

    def see_none(self, css: str, says: str = "") -> None:
        """Wait until no such element is visible."""
        self.until(lambda: self.script(_ASK.format(what="1"), css, says) is None, f"no {_described(css, says)}")

    def ask(self, what: str, css: str, says: str = "") -> Any:
        """Wait for a visible element and return the value of the JavaScript expression `what`, in which `one` is that element."""
        return self.until(lambda: self.script(_ASK.format(what=what), css, says), _described(css, says))[0]

    def message(self, says: str, where: str = CHANNEL) -> str:
        """Return the selector of the newest message with these words in the channel or in the open thread."""
        ts = self.ask("one.dataset.ts", f"{where} [data-testid=message]", says)
        return f'{where} [data-ts="{ts}"]'

    def labelled(self, message: str) -> str:
        """Open the message's thread, wait for the bot's labels, and return the selector of its reply."""
        self.click(f"{message} [data-testid=replies]")
        ts = self.ask("one.dataset.ts", message)
        return self.message("%", f'{THREAD}:has([data-ts="{ts}"])')

    def shows_whole(self, css: str) -> bool:
        """Return whether the whole element is inside the window."""
        return bool(self.ask(_IS_INSIDE, css))

    def too_wide(self) -> list[str]:
        """List the elements that reach beyond the window's right edge."""
        return list(self.script(_TOO_WIDE))

    def faint_words(self) -> list[str]:
        """List the texts whose contrast with their background is below 4.5 to 1 (large ones: 3 to 1), each with its ratio."""
        return list(self.script(_FAINT_WORDS))

    def brightness(self) -> float:
        """Return how light the page's background is, from 0 to 255."""
        colour = self.ask("getComputedStyle(one).backgroundColor", "body")
        return sum(float(part) for part in re.findall(r"[\d.]+", colour)[:3]) / 3

    def script(self, code: str, *arguments: object) -> Any:
        """Run JavaScript and return its result."""
        self._face()
        return self.chrome.execute_script(code, *arguments)

    def until(self, look: Callable[[], T], what: str, timeout_s: float = 15) -> T:
        """Return the first true result of `look`; fail naming `what`, with the text of the page, when there is none in time."""
        wait = WebDriverWait(self.chrome, timeout_s, poll_frequency=0.05, ignored_exceptions=_REDRAWN)
        try:
            return wait.until(lambda _: look())
        except TimeoutException:
            says = self.script("return document.body.innerText")
            raise AssertionError(f"not within {timeout_s:.0f} s: {what}. The page says:\n{says}") from None

    # --- acting ---

    def open(self, user: str, channel: str, **query: str) -> None:
        """Open the page as that person in that channel, and wait until it is loaded and connected."""
        self._face()
        self.chrome.get(f"{self._url}/?{urlencode({'user': user, 'channel': channel, 'theme': 'light', **query})}")
        self.ready()

    def reload(self) -> None:
        """Reload the page from its address."""
        self._face()
        self.chrome.refresh()
        self.ready()

    def ready(self) -> None:
        """Wait until the page is loaded and connected."""
        self.see('body[data-ready="true"][data-online="true"]')
        self.see_none(".loading")

    def resize(self, width: int, height: int, *, scale: int = 1) -> None:
        """Give the page exactly this many pixels, each of `scale` by `scale` real ones; a browser's own bars do not count."""
        self._face()
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def click(self, css: str) -> None:
        """Click the element with the mouse."""

        def click() -> bool:
            self.ask("one", css).click()
            return True

        self.until(click, f"a click on {css}")

    def choose(self, message: str, css: str) -> None:
        """Choose an entry of the message's menu with the mouse."""

        self.point(message)
        self.click(f"{message} [data-do=more]")
        self.click(f"[data-testid=menu] {css}")

    def react(self, message: str, search: str) -> None:
        """Choose with the mouse, for that message, the first emoji that the picker finds for these words."""
        self.point(message)
        self.click(f"{message} [data-testid=toolbar] [data-do=react]")
        self.ask("one", "[data-testid=picker-search]").send_keys(search)
        first = self.ask("one.dataset.emoji", "[data-testid=picker] .picker-row:only-of-type .picker-cell:first-child")
        self.click(f"[data-testid=picker] [data-emoji={first}]")
        self.see_none("[data-testid=picker]")

    def point(self, message: str) -> None:
        """Move the mouse onto the element; a message then shows its toolbar."""

        def there() -> bool:
            ActionChains(self.chrome).move_to_element(self.ask("one", message)).perform()
            return True

        self.until(there, f"the mouse on {message}")

    def write(self, text: str, composer: str = "composer") -> None:
        """Type a text into the composer and send it with Enter."""
        self.ask("one", f"[data-testid={composer}]").send_keys(text, Keys.ENTER)

    def press(self, *keys: str) -> None:
        """Press these keys, or type these texts, one after the other, where the focus is."""
        self._face()
        ActionChains(self.chrome).send_keys(*keys).perform()

    def tab_to(self, css: str, *, back: bool = False) -> None:
        """Move the keyboard's focus to the element with Tab alone, or with Shift and Tab; fail after 40 presses."""
        for _ in range(40):
            if self.script("return document.activeElement.matches(arguments[0])", css):
                return
            keys = ActionChains(self.chrome)
            (keys.key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT) if back else keys.send_keys(Keys.TAB)).perform()
        raise AssertionError(f"Tab does not lead to {css}, but to {self.script('return document.activeElement.outerHTML')[:300]}")

    def go_to(self, message: str) -> None:
        """Move the keyboard's focus from the composer to the message with the arrow key up alone."""
        self.ask("one", "[data-testid=composer]").send_keys(Keys.ESCAPE)

        def there() -> bool:
            if self.script("return document.activeElement.matches(arguments[0])", message):
                return True
            if self.script("return document.activeElement.matches('.message')"):
                self.press(Keys.ARROW_UP)
            return False

        self.until(there, f"the focus on {message}")

    def close(self) -> None:
        """Close the window."""
        self._face()
        self.chrome.close()

    def _face(self) -> None:
        """Make this window the one that the driver controls."""
        self.chrome.switch_to.window(self._handle)


def complaints(chrome: Chrome) -> list[str]:
    """Return what the pages' consoles have reported since the last call: script errors, refused requests, broken policies."""
    return [str(entry["message"]) for entry in chrome.get_log("browser") if entry["level"] in {"WARNING", "SEVERE"}]


def _described(css: str, says: str) -> str:
    return f"{css} saying «{says}»" if says else css


# One question to the browser, whatever is asked: between two, the page may have redrawn the element.
_ASK = """
const [css, says] = arguments;
const seen = (one) => one.checkVisibility({{ visibilityProperty: true }}) && one.innerText.includes(says);
const one = [...document.querySelectorAll(css)].filter(seen).at(-1);
return one ? [{what}] : null;
"""

_IS_INSIDE = """
((box) => box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight)(one.getBoundingClientRect())
"""

_TOO_WIDE = """
const seen = [...document.querySelectorAll("body *:not(.sr)")].filter((one) => one.checkVisibility({ visibilityProperty: true }));
const wide = seen.filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5).map((one) => one.outerHTML.slice(0, 120));
return document.documentElement.scrollWidth > innerWidth ? [...wide, "the page scrolls"] : wide;
"""

# Contrast as WCAG 2.2 defines it. The ground is everything painted below the text, drawn one over the other on one pixel.
_FAINT_WORDS = r"""
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const luminance = (colours) => {
  for (const colour of ["white", ...colours]) {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  }
  const parts = [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((part) => part / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const faint = new Set();
for (const one of document.querySelectorAll("#frame *")) {
  const words = [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("");
  const seen = one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !one.closest("[disabled], .sr");
  if (!seen || !/[\p{L}\p{N}]/u.test(words)) continue;
  const ground = [];
  for (let below = one; below; below = below.parentElement) {
    const { backgroundColor, backgroundImage } = getComputedStyle(below);
    const gradient = /rgba?\([^)]*\)/.exec(backgroundImage); // its first colour stands for it
    ground.unshift(backgroundColor, ...(gradient ? [gradient[0]] : []));
  }
  const { color, fontSize, fontWeight } = getComputedStyle(one);
  const [dark, light] = [luminance(ground), luminance([...ground, color])].sort((a, b) => a - b);
  const ratio = (light + 0.05) / (dark + 0.05);
  const large = parseFloat(fontSize) >= 24 || (parseFloat(fontSize) >= 18.66 && Number(fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) faint.add(`${ratio.toFixed(2)}: ${words.trim().slice(0, 60)} (${one.className})`);
}
return [...faint];
"""
