"""Positives and hard negatives for each caption (paper section 2.1), stored beside the pairs."""
