"""Dashboards and alert rules for the monitor, and the proof that they show something.

Four dashboards are built by code with Grafana's own SDK and committed as JSON in `dashboards/`;
`python -m grafana` writes them anew. Every query is checked against `monitor.metrics.FAMILIES` and
the recording rules while it is built, so that a renamed metric or label fails here and not on a
wall. The monitor never imports this.
"""

import warnings

with warnings.catch_warnings():
    # The SDK would rather have its second schema, which only the newest Grafana reads from a file.
    warnings.filterwarnings("ignore", "Prefer using dashboardv2", DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard  # both warn when they are first read
    import grafana_foundation_sdk.builders.stat  # noqa: F401
