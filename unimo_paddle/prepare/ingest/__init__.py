"""One small file per public format; each turns it into corpus records and reports every fault with its place."""
