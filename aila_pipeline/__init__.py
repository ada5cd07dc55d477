"""Bulk phone-call ingestion on Dagster: from files in a drop zone to transcribed, scored calls."""
