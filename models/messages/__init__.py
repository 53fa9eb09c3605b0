"""Texts for people, in Chinese and English, one catalogue file per subject."""
