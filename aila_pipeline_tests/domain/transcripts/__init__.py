"""Transcripts with figures and verdicts that a person worked out from the definitions, not the code."""
