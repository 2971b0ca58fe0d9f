"""The clients of a bulk body."""

from collections.abc import Collection, Iterator, Sequence

import msgspec
from typing_extensions import override

from edgeclients.errors import InvalidBody
from edgeclients.http.wire.clients import CreateClient, decoder
from edgeclients.model import ClientDraft

_create = decoder(CreateClient)


class Drafts(Collection[ClientDraft]):
    """The drafts in a body, decoded each time they are looked at: all of them together take five times its length.

    Looking at them raises the errors of `CreateClient.to_draft`, and `InvalidBody` for one of another shape.
    """

    def __init__(self, texts: Sequence[msgspec.Raw]) -> None:
        self._texts = texts

    @override
    def __len__(self) -> int:
        return len(self._texts)

    @override
    def __contains__(self, draft: object) -> bool:
        return any(draft == one for one in self)

    @override
    def __iter__(self) -> Iterator[ClientDraft]:
        for text in self._texts:
            yield _decoded(text).to_draft()


def _decoded(text: msgspec.Raw) -> CreateClient:
    try:
        body: CreateClient = _create.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidBody(type(error).__name__) from error
    return body
