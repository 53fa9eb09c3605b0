"""What runs on the box beside the line."""
