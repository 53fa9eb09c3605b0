"""From blocks of samples, as networks deliver them, to windows, results and alerts."""
