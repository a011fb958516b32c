"""Tasks constructed from the small world's scenes, in the files of the public data sets whose place they take.

They are no substitute for the real data: every file says `constructed` where its format has a field for it.
"""
