"""Pictures for maintenance people, as PNG files."""
