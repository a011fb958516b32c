"""Optional C++ operators for training on a CPU: what Paddle does slowly there, several steps in one pass.

build.py compiles source/*.cc (`make operators`), library.py loads the result late, native.py and adamw.py are what
the model and the optimizer call. Nothing here is needed where `model.operators` is plain.
"""
