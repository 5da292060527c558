"""The proof that the dashboards show something and the alerts arrive: `python -m grafana.prove`.

The real monitor watches the simulated estate, Debian's Prometheus scrapes it with the shipped
configuration and rules, and Debian's Alertmanager tells a receiver by the shipped routes. An outage
is made, answered and healed, the monitor is made blind and at last ended. Then every query of every
panel, as the committed JSON has it, is put to that Prometheus, and every alert is looked for at
the receiver. What of the shipped files is replaced, to fit this on loopback and into two minutes,
is printed first (`shipped.py`).
"""
