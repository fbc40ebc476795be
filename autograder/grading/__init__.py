"""Grading: what runs inside the sandbox, the sandbox, one submission, a class."""
