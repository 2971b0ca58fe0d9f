"""The form of ids in rows: the 16 bytes of a UUID, and of the random part of a role's id."""

_UUID_LENGTH = 36
_ROLE_PREFIX = "client_"  # core.ids.new_role_id
_BYTES = 16
_MARK = b"\0"  # no text has a NUL


def uuid_bytes(text: str) -> bytes:
    """The bytes of a canonical UUID; of another text b"", which no row has."""
    digits = text.replace("-", "")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        return b""
    is_canonical = len(text) == _UUID_LENGTH and text[8:24:5] == "----" and found.hex() == digits
    return found if is_canonical else b""


def uuid_text(stored: bytes) -> str:
    """The canonical UUID with these bytes."""
    digits = stored.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def role_bytes(role_id: str) -> bytes:
    """The form of a role's id: 16 bytes for one that we made; the text of another, marked if that has as many bytes."""
    if len(role_id) == len(_ROLE_PREFIX) + 2 * _BYTES and role_id.startswith(_ROLE_PREFIX):
        digits = role_id[len(_ROLE_PREFIX) :]
        try:
            found = bytes.fromhex(digits)
        except ValueError:
            found = b""
        if len(found) == _BYTES and found.hex() == digits:
            return found
    text = role_id.encode()
    return _MARK + text if len(text) == _BYTES else text


def role_text(stored: bytes) -> str:
    """The role's id with this form."""
    return f"{_ROLE_PREFIX}{stored.hex()}" if len(stored) == _BYTES else stored.removeprefix(_MARK).decode()
