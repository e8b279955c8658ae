"""The commands of `python -m inference`, a module each: its arguments, and `run`, which gives a status."""
