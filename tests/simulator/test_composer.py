"""Text on its way into the workspace."""

import pytest

from bot.simulator import composer

USERS = {"ana": "U1", "beto": "U2"}
CHANNELS = {"general": "C1"}


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("3 < 4 & 5 > 4", "3 &lt; 4 &amp; 5 &gt; 4"),
        ("hola @beto, y @nadie", "hola <@U2>, y @nadie"),
        ("correo ana@beto.com", "correo ana@beto.com"),
        ("en #general y #otro", "en <#C1|general> y #otro"),
        ("mira https://a.ec/x?a=1&b=2.", "mira <https://a.ec/x?a=1&amp;b=2>."),
        ("aviso @channel", "aviso <!channel>"),
        ("<!channel> <@U1> <https://a.ec>", "&lt;!channel&gt; &lt;@U1&gt; &lt;<https://a.ec>&gt;"),
        ("gracias 🙏🏽 😀", "gracias :pray::skin-tone-4: :grinning:"),
        ("ñandú á €190 — «sí»", "ñandú á €190 — «sí»"),
        ("&amp;", "&amp;amp;"),
    ],
)
def test_what_people_type_is_stored_in_slacks_markup(typed, stored):
    """The bot must meet the very text that Slack would send it."""
    assert composer.compose(typed, USERS, CHANNELS) == stored


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("&lt;ya&gt; &amp;", "&lt;ya&gt; &amp;"),
        ("<@U2> <#C1|general> <!here> <https://a.ec|aquí>", "<@U2> <#C1|general> <!here> <https://a.ec|aquí>"),
        ("ver https://a.ec/x", "ver <https://a.ec/x>"),
    ],
)
def test_what_apps_send_keeps_its_markup_and_loses_stray_brackets(sent, stored):
    """An app that forgets to escape must see the same as in Slack."""
    assert composer.sanitise(sent) == stored


def test_sanitising_twice_changes_nothing():
    """An app that sends back what it read must not pile up escapes."""
    once = composer.sanitise("a < b & https://a.ec/x?a=1&b=2 <@U2>")
    assert composer.sanitise(once) == once


def test_escaping_and_unescaping_give_the_text_back():
    """`&amp;lt;` is a typed `&lt;`, not a bracket."""
    text = "&lt; < & > &amp;lt;"
    assert composer.unescape(composer.escape(text)) == text


def test_rich_text_names_the_parts_of_a_message():
    """Apps that read blocks instead of text find people, links and emoji."""
    text = composer.compose("hola @beto & mira https://a.ec 😀 10:30:00", USERS, CHANNELS)
    (section,) = composer.rich_text(text, "b1")["elements"]
    assert section["elements"] == [
        {"type": "text", "text": "hola "},
        {"type": "user", "user_id": "U2"},
        {"type": "text", "text": " & mira "},
        {"type": "link", "url": "https://a.ec"},
        {"type": "text", "text": " "},
        {"type": "emoji", "name": "grinning"},
        {"type": "text", "text": " 10:30:00"},
    ]


@pytest.mark.parametrize("name", ["+1", "white_check_mark", "x", "no_entry_sign", "pray::skin-tone-3", "mega"])
def test_slacks_emoji_are_known(name):
    """These are the gestures of the bot."""
    assert composer.is_emoji(name)


@pytest.mark.parametrize("name", ["", "no_such_emoji", "pray::skin-tone-9", ":x:", "✅"])
def test_other_names_are_no_emoji(name):
    """Slack answers invalid_name, and so must we."""
    assert not composer.is_emoji(name)
