"""What packaging/ has for monitoring: the dashboard, the alerts and the page about them, read as their programs read them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import yaml

_PACKAGING: Final = Path(__file__).resolve().parents[2] / "packaging"
BOARD: Final = _PACKAGING / "grafana.json"
ALERTS: Final = _PACKAGING / "alerts.yaml"
PAGE: Final = _PACKAGING / "monitoring.md"
OPERATIONS: Final = _PACKAGING / "operations"  # pages about single tasks

DATA_SOURCE: Final = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
_FILLED_IN: Final = MappingProxyType({"$__rate_interval": "5m", "$job": ".*", "$instance": ".*"})  # by Grafana
_IN_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_IN_ANNOTATION = re.compile(r"\$labels\.(\w+)")


class Query(NamedTuple):
    """A query, with the place where it stands and the labels that are shown of its result."""

    place: str
    text: str
    shown: frozenset[str] = frozenset()
    row: str = ""  # of the dashboard
    panel: str = ""

    def __str__(self) -> str:
        return self.place


def board() -> dict[str, Any]:
    """The dashboard."""
    found: dict[str, Any] = json.loads(BOARD.read_text())
    return found


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """The panels of the dashboard, each with the title of its row, folded or not."""
    row = ""
    for panel in board()["panels"]:
        if panel["type"] != "row":
            yield row, panel
            continue
        row = panel["title"]
        yield from ((row, inner) for inner in panel["panels"])


def rows() -> list[dict[str, Any]]:
    """The rows of the dashboard."""
    return [panel for panel in board()["panels"] if panel["type"] == "row"]


def variables() -> list[dict[str, Any]]:
    """What can be selected in the dashboard."""
    found: list[dict[str, Any]] = board()["templating"]["list"]
    return found


def of_dashboard() -> Iterator[Query]:
    """The queries of panels and variables."""
    for row, panel in panels():
        for target in panel["targets"]:
            shown = frozenset(_IN_LEGEND.findall(target["legendFormat"]))
            yield Query(f"{row}: {panel['title']} {target['refId']}", _filled_in(target["expr"]), shown, row, panel["title"])
    for variable in variables():
        # A function of Grafana's: the values of one label of a selector.
        selector, _, label = str(variable["query"]["query"]).removeprefix("label_values(").removesuffix(")").rpartition(", ")
        yield Query(f"variable {variable['name']}", _filled_in(selector), frozenset({label}))


def alerts() -> Iterator[dict[str, Any]]:
    """The rules, in the order of the file."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from group["rules"]


def of_alerts() -> Iterator[Query]:
    """The queries of the rules."""
    for rule in alerts():
        shown = frozenset(_IN_ANNOTATION.findall(" ".join(rule["annotations"].values())))
        yield Query(rule["alert"], rule["expr"], shown)


def table(first: str) -> list[dict[str, str]]:
    """The rows of the page's table whose first column has this heading, by their headings."""
    lines = iter(PAGE.read_text().splitlines())
    heads = next(_cells(line) for line in lines if line.startswith(f"| {first} |"))
    next(lines)
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append(dict(zip(heads, _cells(line), strict=True)))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _filled_in(query: str, values: Mapping[str, str] = _FILLED_IN) -> str:
    for name, value in values.items():
        query = query.replace(name, value)
    return query
