"""Reads arrays out of pickles that other people made, without running anything they say."""

from unimo_paddle.safe_pickle.readers import read_numpy_pickle, read_torch_file, widen_bfloat16
from unimo_paddle.safe_pickle.table import Array

__all__ = ["Array", "read_numpy_pickle", "read_torch_file", "widen_bfloat16"]
