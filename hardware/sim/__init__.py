"""Simulated devices that ship with the product, behind the same interfaces as real ones."""
