"""Images to regions: the Faster R-CNN built on PaddleDetection, its training, and the extractor.

PaddleDetection is imported in this package and nowhere else, and only when a detector is built: it takes four seconds.
"""
