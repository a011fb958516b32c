"""The network: batches to hidden states to scores. Shapes are B, R, T, S, H as unimo.py's legend gives them."""
