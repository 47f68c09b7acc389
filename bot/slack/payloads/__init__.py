"""What Slack sends, as types: each request is parsed once, where it comes in, and listeners get the result.

Every model holds what our listeners need of one surface and ignores the rest; a request that lacks any of it is None.
"""
