"""Scenarios of a private bank, played against a running server; each checks what it shows."""
