"""What measures the monitor. `python -m bench` runs all of it; nothing here is a test."""
