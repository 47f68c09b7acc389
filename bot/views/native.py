"""Blocks in two forms: Slack's newer ones, and the older ones that say the same where a workspace does not take those."""

from collections.abc import Iterable
from typing import Any

Block = dict[str, Any]


# Blocks that every workspace takes.
OLDER = frozenset({"actions", "context", "divider", "header", "image", "input", "rich_text", "section"})


class Native(dict[str, Any]):
    """A block in its native form; `classic` are the blocks that stand in its place in the classic form, none among them.

    To everybody else it is the block itself: what is posted and kept is plain JSON.
    """

    def __init__(self, block: Block, *classic: Block) -> None:
        super().__init__(block)
        self.classic = classic


def folded(title: str, *inside: Block) -> Native:
    """Build at most ten blocks under a title that opens them, for whoever wants more; in the classic form they stand there open.

    For messages alone: Slack names no other place for it.
    """
    head = {"type": "plain_text", "text": title, "emoji": True}
    box = {"type": "container", "title": head, "child_blocks": list(inside), "is_collapsible": True, "default_collapsed": True}
    return Native(box, *inside)


def has_forms(blocks: Iterable[Block]) -> bool:
    """Return whether any of the blocks has two forms."""
    return any(isinstance(block, Native) for block in blocks)


def native_types(blocks: Iterable[Block]) -> tuple[str, ...]:
    """Return the types of native blocks that not every workspace takes, in order."""
    return tuple(sorted({str(block["type"]) for block in blocks if isinstance(block, Native)} - OLDER))


def classic_form(blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks as every workspace takes them."""
    shown: list[Block] = []
    for block in blocks:
        shown += classic_form(block.classic) if isinstance(block, Native) else [block]
    return shown


def rich_text(words: str, kind: str = "rich_text_section") -> Block:
    """Build words without any markup: what stands in them is never read as a mention, a link or an emoji."""
    return {"type": "rich_text", "elements": [{"type": kind, "elements": [{"type": "text", "text": words[:3000] or " "}]}]}
