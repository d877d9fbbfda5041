"""One file a command; each has a `command`. Help texts come from the catalogue, see `labkit.cli`."""
