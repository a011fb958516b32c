"""Raw files to corpus: offline, resumable; training never imports this package."""
