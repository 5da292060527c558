"""The real monitor, run as people run it, against the simulated estate over real sockets.

    python -m bench.live delay    from a fault to the page, 30 s interval
    python -m bench.live peers    the same beside Prometheus, blackbox_exporter and Alertmanager
    python -m bench.live noise    an hour of bursts that two vantages share: nothing may be declared

Everything runs on loopback and ends with the command. `docs/benchmarks-live.md` has the tables.
"""
