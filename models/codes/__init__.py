"""Serial numbers and identifier codes of parts, and how they are read from an image."""
