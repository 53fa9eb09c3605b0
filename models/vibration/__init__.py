"""Signals of machines: from samples to indicators, spectra and faults."""
