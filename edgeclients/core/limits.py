"""How large things may be, and why. What an operator may want to change is in `settings`."""

NAME_BYTES = 1024  # contract 3.1
IDENTITY_CHARACTERS = 254  # contract 7.1
SECRET_BYTES = 4096  # contract 3.1
METADATA_BYTES = 64 * 1024  # far beyond any device's needs; keeps a row within a few pages
METADATA_DEPTH = 32  # recursion stays shallow everywhere
METADATA_VALUES = 1000  # each is a row to search by
BULK_METADATA_VALUES = 200_000  # of one call: some seconds of the writer
TAGS = 100
TAG_CHARACTERS = 255
BULK_CLIENTS = 10_000
CHOSEN_SECRETS = 100  # one costs 23 ms of a core
CONNECTIONS = 10_000
ENTITIES = 10_000
RETIRING_SECRETS = 4
GRACE_SECONDS = 30 * 24 * 3600
PAGE = 100  # contract 3.3
TOKEN_BYTES = 6 + 4 * ((36 + 1 + SECRET_BYTES + 2) // 3) + 1024  # prefix, base64, some line breaks
