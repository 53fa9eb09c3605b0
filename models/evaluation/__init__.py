"""Metrics with their bounds."""
