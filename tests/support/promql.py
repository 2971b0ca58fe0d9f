"""Queries of Prometheus, as a parser reads them, held against the metrics of a service."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import promql_parser as promql
from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

TARGET = frozenset({"job", "instance"})  # labels that Prometheus adds to each sample that it scrapes
_EDGES = "le"  # the label of a histogram's buckets
_OF_COUNTERS = {"increase", "irate", "rate", "resets"}
_OF_GAUGES = {"avg_over_time", "changes", "delta", "deriv", "max_over_time", "min_over_time", "predict_linear"}
_SAME_LABELS = {"abs", "ceil", "clamp_max", "clamp_min", "floor", "round"}
_WITHOUT_LABELS = {"scalar", "time", "vector"}

Labels = frozenset[str]
Values = Mapping[tuple[str, str], Iterable[str]]
"""Values of a label that samples need not have shown yet, by the start of the metric's name and the label."""


class QueryError(Exception):
    """A query asks for something that is not there."""


class Metric(NamedTuple):
    """What has one name: whether it only grows, and the values of each label."""

    counts: bool
    values: Mapping[str, frozenset[str]]

    @property
    def labels(self) -> Labels:
        return TARGET.union(self.values)


def families(text: str) -> dict[str, Family]:
    """The families of a scrape by name, counters with their `_total`."""
    found = list(text_string_to_metric_families(text))
    return {f"{one.name}_total" if one.type == "counter" else one.name: one for one in found}


def scraped(text: str, more: Values = MappingProxyType({})) -> dict[str, Metric]:
    """What Prometheus has to query after a scrape: each name that had a sample, and `up`."""
    found = {"up": Metric(counts=False, values={})}
    for family in families(text).values():
        seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for sample in family.samples:
            for label, value in sample.labels.items():
                seen[sample.name][label].add(value)
            seen[sample.name]  # also without labels
        for name, labels in seen.items():
            values = {label: frozenset(values | _more(more, name, label)) for label, values in labels.items()}
            found[name] = Metric(family.type in {"counter", "histogram"}, values)
    return found


def _more(more: Values, name: str, label: str) -> set[str]:
    return {value for (start, of), values in more.items() if of == label and name.startswith(start) for value in values}


def names(query: str) -> set[str]:
    """The metrics that a query asks for."""
    found: set[str] = set()
    for selector in _selectors(promql.parse(query)):
        if not selector.name:
            raise QueryError(f"{selector} has no name")
        found.add(selector.name)
    return found


def labels(query: str, known: Mapping[str, Metric]) -> Labels:
    """The labels that the result of a query has.

    Raises:
        QueryError: a metric or a label does not exist, or its kind does not fit the function.
        ValueError: it is no PromQL.
    """
    return _Query(known).labels(promql.parse(query)) or frozenset()


def _selectors(expr: Any) -> Iterator[promql.VectorSelector]:
    found: list[promql.VectorSelector] = []

    def visit(one: Any) -> None:
        if isinstance(one, promql.MatrixSelector):
            found.append(one.vector_selector)
        elif isinstance(one, promql.VectorSelector):
            found.append(one)

    promql.walk(expr, visit)
    return iter(found)


class _Query:
    """Finds the labels of each part of a query; None for a number or text."""

    def __init__(self, known: Mapping[str, Metric]) -> None:
        self._known = known
        self._parts: dict[type, Callable[[Any], Labels | None]] = {
            promql.NumberLiteral: lambda _: None,
            promql.StringLiteral: lambda _: None,
            promql.ParenExpr: lambda expr: self.labels(expr.expr),
            promql.UnaryExpr: lambda expr: self.labels(expr.expr),
            promql.SubqueryExpr: lambda expr: self.labels(expr.expr),
            promql.VectorSelector: self._gauge,
            promql.Call: self._call,
            promql.AggregateExpr: self._aggregate,
            promql.BinaryExpr: self._binary,
        }

    def labels(self, expr: Any) -> Labels | None:
        return self._parts[type(expr)](expr)

    def _gauge(self, selector: promql.VectorSelector) -> Labels:
        metric = self._metric(selector)
        if metric.counts:
            raise QueryError(f"{selector.name} only grows: ask for its rate or increase")
        return metric.labels

    def _metric(self, selector: promql.VectorSelector) -> Metric:
        metric = self._known.get(selector.name or "")
        if metric is None:
            raise QueryError(f"there is no metric {selector.name}")
        if selector.matchers.or_matchers:
            raise QueryError(f"{selector} has alternatives that this check does not know")
        for matcher in selector.matchers.matchers:
            _need({matcher.name}, metric.labels, selector)
            if matcher.name in metric.values and not _is_met(matcher, metric.values[matcher.name]):
                raise QueryError(f"{selector.name} has no samples for all of {matcher}")
        return metric

    def _call(self, call: promql.Call) -> Labels | None:
        name = call.func.name
        if name in _WITHOUT_LABELS:
            return frozenset() if name == "vector" else None
        if name == "absent":
            (selector,) = _selectors(call)
            self._metric(selector)
            return frozenset(one.name for one in selector.matchers.matchers if one.op == promql.MatchOp.Equal)
        if name == "histogram_quantile":
            found = self.labels(call.args[1]) or frozenset()
            _need({_EDGES}, found, call)
            return found - {_EDGES}
        if name in _SAME_LABELS:
            return self.labels(call.args[0])
        if name in _OF_COUNTERS | _OF_GAUGES:
            return self._over_time(name, call.args[0])
        raise QueryError(f"{name} is a function that this check does not know")

    def _over_time(self, name: str, of: Any) -> Labels | None:
        if not isinstance(of, promql.MatrixSelector):
            return self.labels(of)
        metric = self._metric(of.vector_selector)
        if metric.counts is not (name in _OF_COUNTERS):
            raise QueryError(f"{name} does not fit {of.vector_selector.name}")
        return metric.labels

    def _aggregate(self, expr: promql.AggregateExpr) -> Labels:
        if expr.param is not None:
            raise QueryError(f"{expr} is an aggregation that this check does not know")
        found = self.labels(expr.expr) or frozenset()
        if expr.modifier is None:
            return frozenset()
        named = set(expr.modifier.labels)
        _need(named, found, expr)
        return found & named if expr.modifier.type == promql.AggModifierType.By else found - named

    def _binary(self, expr: promql.BinaryExpr) -> Labels | None:
        left, right = self.labels(expr.lhs), self.labels(expr.rhs)
        if left is None or right is None:
            return right if left is None else left
        modifier = expr.modifier
        if modifier is not None and modifier.group_labels:
            raise QueryError(f"{expr} copies labels, which this check does not know")
        matching = modifier.matching if modifier is not None else None
        if matching is None:
            compared = (left, right)
        elif matching.type == promql.LabelModifierType.Include:
            compared = (left & set(matching.labels), right & set(matching.labels))
            _need(set(matching.labels), left & right, expr)
        else:
            compared = (left - set(matching.labels), right - set(matching.labels))
        if compared[0] != compared[1]:
            raise QueryError(f"the sides of {expr} have different labels and never match")
        keeps = modifier is not None and modifier.card != promql.VectorMatchCardinality.OneToOne
        return left if keeps else compared[0]


def _need(named: set[str], there: Labels, where: object) -> None:
    if missing := named - there:
        raise QueryError(f"{where} names the label {', '.join(sorted(missing))}, but there are only {', '.join(sorted(there))}")


def _is_met(matcher: promql.Matcher, values: frozenset[str]) -> bool:
    """Whether everything that a matcher names, to include or to exclude it, is among these values."""
    if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.NotEqual):  # which cannot be hashed
        return matcher.value in values
    return all(any(re.fullmatch(one, value) for value in values) for one in matcher.value.split("|"))
