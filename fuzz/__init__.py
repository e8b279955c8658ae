"""Fuzzing: `make fuzz` feeds every parser that reads what others sent with bytes that nobody thought of.

`targets.py` has a function for each parser, `seeds.py` inputs that make sense, `__main__.py` runs them.
"""
