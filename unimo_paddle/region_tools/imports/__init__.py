"""Other people's feature files to region stores: one module a format, `run` for what they share."""
