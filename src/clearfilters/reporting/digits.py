"""How many digits of a number are written: not those that rounding noise changes."""

SIGNIFICANT_DIGITS = 6
# A format specification.
FORMAT = f".{SIGNIFICANT_DIGITS}g"
