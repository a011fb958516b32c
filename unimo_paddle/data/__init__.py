"""From corpus records to padded batches: tokenizer, rows, hiding, padding, the stream of batches."""
