"""Rows of healthy and of judged machines, from process samples or from records of vibration."""
