#!/usr/bin/env bash
# Makes a Python environment for the test suite in test/pytorch, in .cache/python (ignored by git): numpy and Flower from
# the package index, about a minute the first time. PyTorch is .ci/pytorch.sh's.
#
# Usage: npm run test:pytorch                                   after this script, or with what python3 has
# Prints the path of the environment's Python, and nothing else, on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/.cache/python"
if [ ! -e "$folder/.complete" ]; then
  if ! command -v python3 >/dev/null; then
    echo "python.sh: python3 is not installed. Install it, or set ASSAY_PYTHON to one you have." >&2
    exit 1
  fi
  {
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    # What python3 has already, PyTorch for instance, is seen from the environment.
    python3 -m venv --system-site-packages "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check 'numpy>=1.24'
    # Flower is a convenience: without it its own test says that it is missing.
    "$folder/bin/pip" install --quiet --disable-pip-version-check 'flwr>=1.41,<2' || true
    touch "$folder/.complete"
  } >&2
fi
echo "$folder/bin/python"
