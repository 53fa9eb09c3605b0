"""Reading labelled images from folders and published sets."""
