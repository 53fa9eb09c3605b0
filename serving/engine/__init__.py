"""What serves: models that are swapped while they work, and the threads they work on. No HTTP."""
