"""What people do with region stores: bring in features they already hold, compare, merge, take parts, count.

Numpy only: neither PaddlePaddle nor PaddleDetection is loaded, so every command answers at once.
"""
