"""BEDROT: an independent label's data lake in one folder."""

__version__ = "0.1.0"
