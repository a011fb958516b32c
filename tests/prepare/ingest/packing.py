"""Packs bytes as the published dumps are packed."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import zstandard

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}


def tar(members: dict[str, bytes], layout: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of regular files, in the order given; names are taken as they are."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=layout) as archive:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return sink.getvalue()


def openwebtext(subsets: dict[str, dict[str, bytes]]) -> bytes:
    """As openwebtext.tar.xz is: a tar of `openwebtext/NAME_data.xz`, each of them an xz-packed tar of .txt files."""
    return PACK[".xz"](tar({f"openwebtext/{name}_data.xz": PACK[".xz"](tar(texts)) for name, texts in subsets.items()}))
