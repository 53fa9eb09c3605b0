"""Splitting samples so that no physical unit stands on both sides."""
