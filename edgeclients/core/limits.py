"""Size limits and their reasons. Limits that an operator may want to change are in `settings`."""

NAME_BYTES = 1024  # schema/README.md#limits
IDENTITY_CHARACTERS = 254  # schema/README.md#limits
EXTERNAL_ID_CHARACTERS = 255  # schema/README.md#limits
SECRET_BYTES = 4096  # schema/README.md#limits
METADATA_BYTES = 64 * 1024  # far beyond any device's needs; keeps a row within a few pages
METADATA_DEPTH = 32  # recursion stays shallow everywhere
METADATA_VALUES = 1000  # each is a row of the search index
BULK_METADATA_VALUES = 200_000  # of one call: some seconds of the writer
TAGS = 100
TAG_CHARACTERS = 255
BULK_CLIENTS = 10_000
CHOSEN_SECRETS = 100  # one costs 23 ms of a core
CONNECTIONS = 10_000
ENTITIES = 10_000
RETIRING_SECRETS = 4
ROLE_NAME_BYTES = 200  # schema/README.md#roles
ROLES = 1000  # of one client: a role is found by its id among them
MEMBERS = 10_000  # of one call
MEMBER_CHARACTERS = 36  # schema/README.md#members
OPERATOR_NAME_CHARACTERS = 200
OPERATOR_DOMAINS = 1000
OPERATOR_TOKENS = 100
GRACE_SECONDS = 30 * 24 * 3600
VIEWED_GROUPS = 1000  # each is a call to Auth, for one page of a list
PAGE = 100  # schema/README.md#query-parameters
TOKEN_BYTES = 6 + 4 * ((36 + 1 + SECRET_BYTES + 2) // 3) + 1024  # prefix, base64, some line breaks
