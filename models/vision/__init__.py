"""Inspection of images: decoding, preprocessing, gates, features, scores, defects, calibration, overlays."""
