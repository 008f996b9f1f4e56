#!/usr/bin/env bash
# Installs the Debian packages that the build and the tests need, and only those that are missing. Rust itself is left to
# its own installer, since Debian's is too old; this says so.
set -euo pipefail
cd "$(dirname "$0")/.."

needs_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
has_rust=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
if [ -z "$has_rust" ] || [ "$(printf '%s\n' "$needs_rust" "$has_rust" | sort -V | head -n 1)" != "$needs_rust" ]; then
  echo "setup: Rust $needs_rust or newer is needed, ${has_rust:-none} is there. Install it with" >&2
  echo "         curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\"" >&2
  exit 1
fi

packages=(build-essential pkg-config cmake libclang-dev libssl-dev zlib1g-dev kcat sccache)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
command -v apt-get >/dev/null || { echo "setup: not a Debian system; install the equivalents of: ${missing[*]}" >&2; exit 1; }
sudo=""; [ "$(id -u)" -eq 0 ] || sudo=sudo
echo "setup: installing ${missing[*]}"
$sudo apt-get update -q
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}"
