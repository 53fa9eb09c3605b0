"""The sources that a configuration can name, a module for each way to reach them."""
