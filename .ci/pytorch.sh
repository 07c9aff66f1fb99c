#!/usr/bin/env bash
# Makes a Python with PyTorch for the test suite in test/pytorch, in .cache/pytorch (ignored by git). From the package
# index PyTorch comes with CUDA, more than five gigabytes; Debian has it for processors alone: python3-torch and the
# libraries it needs are 150 MB, half a minute. They are unpacked, not installed: this needs no root and leaves the
# machine as it is.
#
# Usage: npm run test:pytorch                                   after this script
#        ASSAY_PYTHON=/opt/torch/bin/python npm run test:pytorch
# Prints the path of a Python with PyTorch, and nothing else, on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$PWD/.cache/pytorch"
python="$folder/python"
# 1.13 is the oldest version that the tests have seen.
tried='import numpy, torch; assert tuple(map(int, torch.__version__.split(".")[:2])) >= (1, 13), "PyTorch is too old"'

if python3 -c "$tried" 2>/dev/null; then
  command -v python3
  exit
fi

# Which packages are missing is apt's to say, with the machine's own sources. The system's lists, caches and locks stay
# untouched; $1 is where the lists of packages are.
download() {
  local own=(-o Dir::Cache="$folder/apt" -o Dir::State::lists="$1" -o Debug::NoLocking=true -o APT::Sandbox::User=root)
  local patience=(-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
  shift
  timeout 90 apt-get -qq "${own[@]}" "${patience[@]}" "$@"
}

if [ ! -x "$python" ]; then
  if ! command -v apt-get >/dev/null || [ ! -x /usr/bin/python3 ]; then
    echo "pytorch.sh: no Debian with its own python3 here. Set ASSAY_PYTHON to a Python that has PyTorch." >&2
    exit 1
  fi
  {
    rm -rf "$folder"
    mkdir -p "$folder/apt/archives/partial" "$folder/apt/lists/partial" "$folder/unpacked"
    what=(install --download-only --no-install-recommends python3-torch)
    if ! download /var/lib/apt/lists "${what[@]}"; then
      # There are no lists, or old ones. A source that fails is not the end: only whether PyTorch is found counts.
      download "$folder/apt/lists" update || true
      download "$folder/apt/lists" "${what[@]}"
    fi
    find "$folder/apt/archives" -name '*.deb' -exec dpkg -x {} "$folder/unpacked" \;
    rm -rf "$folder/apt"
    # A trainer's environment is scrubbed: the command itself says where things are. blas and lapack are folders of their
    # own, as installing would choose between implementations.
    lib="$folder/unpacked/usr/lib"
    machine="$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_config_var("MULTIARCH"))')"
    cat > "$python.untried" <<WRAPPER
#!/bin/sh
export LD_LIBRARY_PATH="$lib/$machine:$lib/$machine/blas:$lib/$machine/lapack:$lib:$folder/unpacked/lib/$machine"
export PYTHONPATH="$lib/python3/dist-packages\${PYTHONPATH:+:\$PYTHONPATH}"
exec /usr/bin/python3 "\$@"
WRAPPER
    chmod +x "$python.untried"
    # Under its name only when it works: the tests take what they find for whole.
    "$python.untried" -c "$tried"
    mv "$python.untried" "$python"
  } >&2
fi
echo "$python"
