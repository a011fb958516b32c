"""The small world: photographic scenes whose objects, boxes, sizes and relations are known exactly.

Start at run.make_scenes; docs/small_world.md describes what it writes.
"""
