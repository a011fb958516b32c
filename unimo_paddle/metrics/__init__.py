"""Scores of predictions against references; numpy in, numbers out."""
