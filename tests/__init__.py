"""What the monitor promises, as tests."""
