"""Dashboards and alert rules for the monitor, and the proof that they show something.

Four dashboards are built by code with Grafana's own SDK and committed as JSON in `dashboards/`;
`python -m grafana` writes them anew. Every query is checked against `monitor.metrics.FAMILIES` and
the recording rules while it is built, so that a renamed metric or label fails here and not on a
wall. The monitor never imports this.
"""
