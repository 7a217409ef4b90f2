"""The command line: verbs, how they print, and which exit code each failure has."""
