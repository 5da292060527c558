"""What a check costs: the program as people run it beside Debian's, on loopback.

Both ask one nginx, which runs as a process with a configuration of its own; names come from a
small name server, a process too. CPU time is user and system time of a whole process, as the
kernel keeps it.

    apt-get install --no-install-recommends prometheus prometheus-blackbox-exporter nginx-light
"""
