#!/usr/bin/env bash
# Builds the real IPFS daemon (Kubo) for the test suite in test/kubo, into .cache/kubo (ignored by git).
# npm's `kubo` package downloads a binary from dist.ipfs.tech, which a closed network refuses; Go's module proxy serves
# the same release as source, checked against Go's checksum database. Needs Go; the first build takes several minutes.
#
# Usage: ASSAY_IPFS_BIN="$(.ci/kubo.sh)" npm run test:kubo
# Prints the path of the binary, and nothing else, on standard output.
set -euo pipefail
# v0.43.1 builds against a fork of go-libp2p that a strict proxy may not carry; v0.43.0 needs published modules only.
version="${KUBO_VERSION:-v0.43.0}"
cd "$(dirname "$0")/.."
folder="$PWD/.cache/kubo/$version"
binary="$folder/ipfs"
if [ ! -x "$binary" ]; then
  if ! command -v go >/dev/null; then
    echo "kubo.sh: Go is not installed. Install Go, or set ASSAY_IPFS_BIN to an ipfs binary you have." >&2
    exit 1
  fi
  mkdir -p "$folder"
  {
    # Inside the module's own folder its own go.mod and go.sum hold, replacements included: exactly the released build.
    source_folder="$(cd "$folder" && GOFLAGS=-mod=mod go mod download -json "github.com/ipfs/kubo@$version" \
      | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')"
    cd "$source_folder"
    go build -p "${KUBO_BUILD_JOBS:-2}" -trimpath -ldflags='-s -w' -o "$binary.partial" ./cmd/ipfs
    mv "$binary.partial" "$binary"
  } >&2
fi
echo "$binary"
