#!/usr/bin/env python3
"""The checks of ci/prometheus.sh: what two Prometheus servers stored of the example `service`, one of them with native
histograms, and what the formats say by the official parsers.

    prometheus.py FOLDER METRICS_PROTO PORT NATIVE_PORT
"""

import json
import math
import pathlib
import subprocess
import sys
import urllib.parse
import urllib.request

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text

FOLDER, PROTO, PORT, NATIVE_PORT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
ROUTES = {"/", "/items/{id}", "/slow"}


def query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(url) as response:
        answer = json.load(response)
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def by_route(port, expression):
    return {result["metric"]["route"]: float(result["value"][1]) for result in query(port, expression)}


def check_servers():
    """Counts, counts by buckets and quantiles agree with one another at the same instant."""
    for port in (PORT, NATIVE_PORT):
        targets = query(port, "up")
        assert [target["value"][1] for target in targets] == ["1"], targets
        rates = by_route(port, "sum by (route) (rate(http_requests_total[8s]))")
        assert set(rates) == ROUTES and all(rate > 0 for rate in rates.values()), rates
    counters = by_route(PORT, "sum by (route) (http_requests_total)")
    counts = by_route(PORT, "http_request_seconds_count")
    infinite = by_route(PORT, 'http_request_seconds_bucket{le="+Inf"}')
    assert set(counts) == ROUTES and counts == infinite, (counts, infinite)
    # A request is counted in the counter a moment before it is recorded in the histogram.
    assert all(0 <= counters[route] - counts[route] <= 16 for route in ROUTES), (counters, counts)
    native = by_route(NATIVE_PORT, "histogram_count(http_request_seconds)")
    assert set(native) == ROUTES and all(native.values()), native
    # An answer of /slow takes five milliseconds at least; the quantile is within a bucket's width.
    slow = 'http_request_seconds{route="/slow"}'
    (result,) = query(NATIVE_PORT, f"histogram_quantile(0.01, {slow})")
    low = float(result["value"][1])
    (result,) = query(NATIVE_PORT, f"histogram_quantile(0.5, rate({slow}[8s]))")
    median = float(result["value"][1])
    assert 0.0045 < low <= median < 0.5, (low, median)
    classic = 'rate(http_request_seconds_bucket{route="/slow"}[8s])'
    (result,) = query(PORT, f"histogram_quantile(0.5, {classic})")
    assert median / 2 <= float(result["value"][1]) <= 2 * median, (result, median)
    print(f"servers: {sum(counts.values()):.0f} requests, /slow: 1 % {low:.5f} s, median {median:.5f} s")


def check_protobuf():
    """Decodes each message with the official definition, and compares it with the text."""
    data, families = (FOLDER / "protobuf").read_bytes(), {}
    while data:
        length, shift, at = 0, 0, 0
        while True:
            length |= (data[at] & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if data[at - 1] < 0x80:
                break
        message, data = data[at : at + length], data[at + length :]
        decoded = subprocess.run(
            ["protoc", f"--proto_path={PROTO.parent}", "--decode=io.prometheus.client.MetricFamily", PROTO.name],
            input=message, stdout=subprocess.PIPE, check=True,
        ).stdout.decode()
        # Fields that the definition doesn't have are shown by their numbers.
        fields = [line.split(":")[0].split("{")[0].strip() for line in decoded.splitlines()]
        assert not any(field.isdigit() for field in fields), decoded
        name = decoded.split('name: "', 1)[1].split('"', 1)[0]
        families[name] = decoded
    assert list(families) == ["http_request_seconds", "http_requests_total", "http_requests_in_flight"] or set(
        families
    ) == {"http_request_seconds", "http_requests_in_flight", "http_requests_total"}, list(families)
    histogram = families["http_request_seconds"]
    assert "type: HISTOGRAM" in histogram and "schema: 3" in histogram and "positive_span" in histogram
    # Of each histogram, deltas add up to buckets, and buckets to the count.
    for metric in histogram.split("histogram {")[1:]:
        number = lambda line: line.split(":")[1].strip()
        lines = [line.strip() for line in metric.splitlines()]
        count = next(int(number(line)) for line in lines if line.startswith("sample_count:"))
        bucket, total = 0, 0
        for line in lines:
            if line.startswith("positive_delta:"):
                bucket += int(number(line))
                total += bucket
        assert total == count > 0, (total, count)
    print(f"protobuf: {len(families)} families")


def check_texts():
    samples = {}
    for family in openmetrics.text_string_to_metric_families((FOLDER / "openmetrics").read_text()):
        for sample in family.samples:
            samples[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    later = {}
    for family in text.text_string_to_metric_families((FOLDER / "text.txt").read_text()):
        for sample in family.samples:
            later[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    assert samples.keys() == later.keys() and samples, samples.keys() ^ later.keys()
    for key, value in samples.items():
        assert not math.isnan(value) and (key[0] == "http_requests_in_flight" or later[key] >= value), key
    print(f"texts: {len(samples)} samples")


check_servers()
check_protobuf()
check_texts()
