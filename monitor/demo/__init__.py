"""A simulated Prospect 365 estate with faults to inject, and the story the demo plays on it."""
