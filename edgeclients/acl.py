"""The permission that a Redis server denies its user, named as in `ACL SETUSER`."""

import re

_COMMAND = re.compile(r"the '([a-z|]{1,40})' command")
_PIPELINE = "caused error:"  # a server repeats the command and its arguments before this
_NOT_BEGUN, _NOT_ENDED = "EXEC without MULTI", "because of: NOPERM"


def missing(error: BaseException, pattern: str) -> str:
    """The permission that is missing according to a server; empty for any other error.

    Args:
        error: the error that the server returned.
        pattern: the pattern of the keys or channels in use.
    """
    from redis.exceptions import NoPermissionError, ResponseError

    if not isinstance(error, ResponseError):
        return ""
    text = str(error).rpartition(_PIPELINE)[2]
    if _NOT_BEGUN in text:
        return "+multi"
    if not isinstance(error, NoPermissionError) and _NOT_ENDED not in text:
        return ""
    if named := _COMMAND.search(text):
        return f"+{named[1]}"
    return f"{'&' if 'channel' in text else '~'}{pattern}"
