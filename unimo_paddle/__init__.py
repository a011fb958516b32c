"""The PaddlePaddle-native toolkit for UNIMO (Li et al., ACL 2021)."""

__version__ = "0.1.0"
