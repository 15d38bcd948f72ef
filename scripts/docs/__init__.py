"""Writes the generated parts of docs/ from the code; run as `python -m scripts.docs`."""
