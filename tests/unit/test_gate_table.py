"""What the gate knows of paths, before anything is routed, agrees with the routes as they are described."""

import json

from edgeclients.files import schema_path
from edgeclients.http import scope
from edgeclients.http.edge import gate

COLLECTIONS = {"clients", "roles", "members", "actions", "journal"}  # may be written with a slash at the end


def literal(segment: str) -> bool:
    return bool(segment) and not segment.startswith("{")


PATHS = [path.strip("/").split("/") for path in json.loads(schema_path("openapi.json").read_text())["paths"]]
IN_A_DOMAIN = [segments[1:] for segments in PATHS if segments[0] == "{domain_id}"]


def test_what_a_domain_has_is_protected() -> None:
    assert {segments[0] for segments in IN_A_DOMAIN} == scope._PROTECTED


def test_the_rest_is_open() -> None:
    described = {segments[0] for segments in PATHS if literal(segments[0])}
    assert described | {"docs", "openapi.json"} == gate._UNPROTECTED


def test_every_other_word_at_the_end_of_a_path_is_a_leaf() -> None:
    assert {segments[-1] for segments in IN_A_DOMAIN if literal(segments[-1])} - COLLECTIONS == gate._LEAVES


def test_words_that_stand_where_a_client_id_does() -> None:
    words = [segments for segments in IN_A_DOMAIN if segments[0] == "clients" and len(segments) > 1 and literal(segments[1])]
    assert {segments[1] for segments in words} == gate._WORDS
    files = [["clients", word] for word in gate._OF_ALL]
    assert sorted(words) == sorted([gate._BULK, gate._AVAILABLE_ACTIONS, *files])


def test_where_a_role_id_stands() -> None:
    with_role = [segments for segments in IN_A_DOMAIN if "{role_id}" in segments]
    assert {segments.index("{role_id}") for segments in with_role} == {gate._ROLE_SEGMENT}
    assert {segments[gate._ROLE_SEGMENT - 1] for segments in with_role} == {"roles"}
