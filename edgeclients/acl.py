"""What a Redis server does not let its user do, by the name of the right as `ACL SETUSER` has it."""

import re

_COMMAND = re.compile(r"the '([a-z|]{1,40})' command")
_PIPELINE = "caused error:"  # in front of it a command is repeated, with what was in it
_NOT_BEGUN, _NOT_ENDED = "EXEC without MULTI", "because of: NOPERM"


def missing(error: BaseException, pattern: str) -> str:
    """The right that a server says is missing; empty if it says nothing of the kind.

    Args:
        error: what it has answered.
        pattern: of the keys or channels that are used.
    """
    from redis.exceptions import NoPermissionError, ResponseError

    if not isinstance(error, ResponseError):
        return ""
    said = str(error).rpartition(_PIPELINE)[2]
    if _NOT_BEGUN in said:
        return "+multi"
    if not isinstance(error, NoPermissionError) and _NOT_ENDED not in said:
        return ""
    if named := _COMMAND.search(said):
        return f"+{named[1]}"
    return f"{'&' if 'channel' in said else '~'}{pattern}"
