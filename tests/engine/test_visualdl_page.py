"""What a run hands to VisualDL, as its page shows it in Chromium."""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from tests.browser import Page, browser, needs_chromium
from unimo_paddle.engine.log import Log, StepRecord
from unimo_paddle.engine.probe import Probed

pytestmark = [pytest.mark.slow, needs_chromium]
PHASES = {"data": 0.01, "forward": 0.2, "backward": 0.2, "optimizer": 0.05, "other": 0.04}
OBJECTIVES = {"text": "seq2seq", "pair": "contrastive"}


def write_run(directory: Path) -> None:
    """40 steps of two kinds in turns, and a probe."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    log = Log(directory, log_every=10, steps=40, peak_flops=1e12)
    with log.open(0):
        for step in range(1, 41):
            kind = ("text", "pair")[step % 2]
            loss = 1 / step
            log.write(StepRecord(step, kind, loss, {OBJECTIVES[kind]: loss}, 1e-3, 1.0, 1.0, 0, 8, 90, 100, 1e11, 0.5,
                                 PHASES, 2**30))  # fmt: skip
        log.probed(40, Probed({"joint_image_to_text_R@1": 0.5}, {"masked_regions": pixels}, {"captions": "a\nb"}))


@contextlib.contextmanager
def served(directory: Path):
    """VisualDL's own server; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("visualdl")), "--logdir", str(directory), "--host", "127.0.0.1",
               "--port", str(port), "--disable-telemetry"]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 5):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/app/"
    finally:
        server.terminate()
        server.wait(20)


def text_with(page: Page, address: str, *wanted: str) -> None:
    """Open a page and wait until its text has all that is wanted."""
    page.run(f"location.href = {address!r}")
    text, deadline = "", time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        with contextlib.suppress(AssertionError):  # between two pages there is nothing to ask
            text = page.run("document.body.innerText") or ""
        if all(word in text for word in wanted):
            return
    pytest.fail(f"{address} shows {text!r}, not {wanted}")


def test_the_page_shows_curves_pictures_and_texts(tmp_path):
    write_run(tmp_path / "run")
    with served(tmp_path / "run") as address, browser(tmp_path / "profile") as page:
        groups = [f"{name}\n{n}\n" for name, n in (("loss_by_kind", 2), ("probe", 1), ("time", 5), ("train", 10))]
        text_with(page, address + "scalar", *groups)
        asked = unquote(" ".join(page.requests))  # a chart's title is painted; the data that it asks for can be read
        assert all(f"&tag=loss/{name}" in asked for name in ("total", "seq2seq", "contrastive"))
        text_with(page, address + "sample/image", "pictures/masked_regions", "Step: 40")
        text_with(page, address + "sample/text", "texts/captions", "a | b")
        outside = [url for url in page.requests if not url.startswith((address.removesuffix("app/"), "data:", "blob:"))]
        assert not outside
        page.screenshot(tmp_path / "page.png", whole=False)
        assert (tmp_path / "page.png").stat().st_size > 5000
