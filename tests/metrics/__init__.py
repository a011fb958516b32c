"""A package, so that test_retrieval.py may be called like the one in tests/."""
