"""An uptime monitor that tells, within seconds, that a hosted service is down for everyone."""

__version__ = "0.1.0"
