"""Runs any training that offers a model, batches and losses; knows no task by name."""
