"""Makers of what the package ships: run by hand from the repository's root, never by the pipeline."""
