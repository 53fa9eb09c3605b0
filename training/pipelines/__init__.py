"""Whole trainings, from a data set to a bundle."""
