"""Tests of the intake's rules."""
