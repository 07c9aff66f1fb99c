#!/usr/bin/env bash
# Builds the real IPFS daemon (Kubo) for the test suite in test/kubo, into .cache/kubo (ignored by git).
# npm's `kubo` package downloads a binary from dist.ipfs.tech, which a closed network refuses; Go's module proxy serves
# the same release as source, checked against Go's checksum database. Needs Go; the first build takes several minutes.
#
# Usage: ASSAY_IPFS_BIN="$(.ci/kubo.sh)" npm run test:kubo
# Prints the path of the binary, and nothing else, on standard output.
set -euo pipefail
version="${KUBO_VERSION:-v0.43.1}"
cd "$(dirname "$0")/.."
folder="$PWD/.cache/kubo/$version"
binary="$folder/ipfs"
if [ ! -x "$binary" ]; then
  if ! command -v go >/dev/null; then
    echo "kubo.sh: Go is not installed. Install Go, or set ASSAY_IPFS_BIN to an ipfs binary you have." >&2
    exit 1
  fi
  build="$folder/build"
  mkdir -p "$build"
  {
    cd "$build"
    [ -f go.mod ] || go mod init assay-kubo-build
    go get "github.com/ipfs/kubo/cmd/ipfs@$version"
    go build -p "${KUBO_BUILD_JOBS:-2}" -trimpath -ldflags='-s -w' -o "$binary.partial" github.com/ipfs/kubo/cmd/ipfs
    mv "$binary.partial" "$binary"
  } >&2
fi
echo "$binary"
