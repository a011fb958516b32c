"""Nearest neighbours: similar captions, images that show the same objects, sentences of the same meaning."""
