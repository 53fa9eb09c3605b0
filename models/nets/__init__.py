"""Torch modules. Only ``andon.training`` imports them."""
