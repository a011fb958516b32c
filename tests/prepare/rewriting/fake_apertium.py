"""An `apertium` on the PATH that answers as the real one does, and misbehaves when a text asks it to."""

import sys

SCRIPT = f"""#!{sys.executable}
import os, sys, time
if sys.argv[1:] == ["-l"]:
    print("  eng-xx\\n  xx-eng\\n  en-yy\\n  yy-en\\n  xx-yy\\n  eng-dead")
    sys.exit()
mode = sys.argv[-1]
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(mode + "\\n")
if mode == "eng-dead":
    sys.exit(1)
out = sys.stdout.buffer
for text in sys.stdin.buffer.read().split(b"\\0")[:-1]:
    if b"die" in text:
        os.abort()
    if b"hang" in text:
        out.flush()
        time.sleep(60)
    if b"bytes" in text:
        text = text.replace(b"bytes", b"\\xff\\xfe")
    for plain, marked in ((b"zyx", b"*zyx"), (b"mark", b"#mark"), (b"nogen", b"@nogen")):
        text = text.replace(plain, marked)
    out.write(text.replace(b"large", b"big") + b"\\0")
out.write(b"\\0\\0")
"""


def install(folder, monkeypatch):
    """Put it first on the PATH; return the file that notes a line for each process started."""
    (folder / "apertium").write_text(SCRIPT)
    (folder / "apertium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_LOG", str(folder / "log"))
    return folder / "log"
