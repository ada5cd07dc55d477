"""Intake: the rules by which a client's files become a `Submission`, row by row; nothing here reads or stores files."""
