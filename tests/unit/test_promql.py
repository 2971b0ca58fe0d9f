"""The check of queries finds what is wrong with them: each fault is one that a dashboard shows as an empty panel."""

import pytest

from tests.support import promql

KNOWN = promql.scraped(
    """
# TYPE calls_total counter
calls_total{operation="view",code="200"} 1
calls_total{operation="list",code="503"} 1
# TYPE seconds histogram
seconds_bucket{operation="view",le="1.0"} 1
seconds_bucket{operation="view",le="+Inf"} 1
seconds_count{operation="view"} 1
seconds_sum{operation="view"} 0.5
# TYPE busy gauge
busy 1
# TYPE idle gauge
idle 0
""",
    {("calls", "code"): ["500"]},
)


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("busy", {"job", "instance"}),
        ("up == 0", {"job", "instance"}),
        ("time() - busy", {"job", "instance"}),
        ("rate(calls_total[5m])", {"job", "instance", "operation", "code"}),
        ('sum by (code) (rate(calls_total{code=~"5.."}[5m]))', {"code"}),
        ('sum without (code) (rate(calls_total{code!="500"}[5m]))', {"job", "instance", "operation"}),
        ("sum(busy)", set()),
        ("histogram_quantile(0.9, sum by (le, operation) (rate(seconds_bucket[5m])))", {"operation"}),
        ("sum by (job) (rate(calls_total[5m])) / sum by (job) (busy)", {"job"}),
        ("rate(seconds_count[5m]) / on (job) group_left sum by (job) (busy)", {"job", "instance", "operation"}),
        ("busy == 0 and on (job) idle == 1", {"job", "instance"}),
        ("busy / ignoring (instance) idle", {"job"}),
        ("max_over_time(sum by (code) (rate(calls_total[5m]))[1h:])", {"code"}),
        ("delta(busy[1h])", {"job", "instance"}),
        ('absent(up{job="x"})', {"job"}),
        ("abs(busy) > 1 * 2", {"job", "instance"}),
        ("-(busy)", {"job", "instance"}),
        ("vector(1)", set()),
    ],
)
def test_a_result_has_these_labels(query: str, labels: set[str]) -> None:
    assert promql.labels(query, KNOWN) == labels


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("bussy", "there is no metric bussy"),
        ("rate(calls[5m])", "there is no metric calls"),
        ('{job="x"}', "there is no metric None"),
        ('busy{operation="view"}', "names the label operation"),
        ('rate(calls_total{code="404"}[5m])', "no samples for all of code"),
        ('rate(calls_total{code=~"503|404"}[5m])', "no samples for all of code"),
        ("calls_total", "only grows"),
        ("rate(busy[5m])", "rate does not fit busy"),
        ("delta(calls_total[5m])", "delta does not fit calls_total"),
        ("sum by (reason) (rate(calls_total[5m]))", "names the label reason"),
        ("histogram_quantile(0.9, sum by (operation) (rate(seconds_bucket[5m])))", "names the label le"),
        ("sum by (job) (busy) / sum by (instance) (busy)", "never match"),
        ("rate(calls_total[5m]) > busy", "never match"),
        ("busy and on (code) idle", "names the label code"),
        ("topk(3, busy)", "does not know"),
        ('label_replace(busy, "a", "b", "c", "d")', "does not know"),
        ('absent(busy{code="200"})', "names the label code"),
    ],
)
def test_a_fault_is_found(query: str, fault: str) -> None:
    with pytest.raises(promql.QueryError, match=fault):
        promql.labels(query, KNOWN)


@pytest.mark.parametrize("query", ["", "rate(busy)", "sum(busy", "nope(busy)", "busy{code=200}", "abs(busy[5m])"])
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        promql.labels(query, KNOWN)


def test_the_names_of_a_query_are_found_in_each_of_its_parts() -> None:
    assert promql.names("sum(rate(a_total[5m])) / (b + c) > scalar(d)") == {"a_total", "b", "c", "d"}
    with pytest.raises(promql.QueryError, match="has no name"):
        promql.names('{job="x"}')
