"""The command line's frame: options, output, errors and exit codes."""
