"""What the box computes on: its device, its cores, and how fast a bundle runs there."""
