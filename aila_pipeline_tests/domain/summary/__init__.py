"""Tests of aila_pipeline.domain.summary."""
