"""Reads OpenMetrics text from standard input with Prometheus's own parser, and prints the names of its families."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

families = list(text_string_to_metric_families(sys.stdin.read()))
for family in families:
    if family.name.startswith("poseur_") and not family.documentation:
        sys.exit(f"{family.name} says nothing of itself")
    print(family.name, family.type, len(family.samples))
