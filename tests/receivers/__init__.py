"""Receivers that stand for the systems that notices are sent to."""
