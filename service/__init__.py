"""lotus-manage: simulate, record, review and prove portfolio changes."""

__version__ = "0.1.0"
