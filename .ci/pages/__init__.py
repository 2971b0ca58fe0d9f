"""What is generated from the settings and from the command line: man pages, the default file, completions."""
