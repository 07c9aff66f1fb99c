#!/usr/bin/env bash
# Installs the static analyser Slither into .cache/slither (ignored by git), with exactly the packages of .ci/slither.txt.
# Needs Python 3.10 or newer and a package index. The Solidity compiler is the project's own, from npm
# (scripts/checks/slither/solc.mjs): Slither's usual download of one from the web is not used.
#
# Prints the path of the binary, and nothing else, on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/.cache/slither/$(cksum < .ci/slither.txt | cut -d' ' -f1)"
binary="$folder/bin/slither"
if [ ! -e "$folder/complete" ]; then
  python="${PYTHON:-python3}"
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "slither.sh: Python 3.10 or newer is not installed. Install it, or set ASSAY_SLITHER_BIN to a slither you have." >&2
    exit 1
  fi
  {
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --no-deps -r .ci/slither.txt
    touch "$folder/complete"
  } >&2
fi
echo "$binary"
