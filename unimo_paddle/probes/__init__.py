"""What a pretrained model knows of held-out pairs: numbers, pictures and captions, small enough to look at often."""
