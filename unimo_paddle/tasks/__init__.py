"""Tasks: what is learnt from which batches. No loops, no files."""
