"""Sensors on the box: from what a source delivers to the alert that is told."""
