# shellcheck shell=bash
# What gotunnel needs from Debian 12 or 13. Sourced by the scripts beside it and by docker/Dockerfile, so that a package is
# named in one place.
#
#   packages_for build|run_demo|test     prints the list
#   install_packages SET...              installs what is missing, in silence when nothing is

# Debian 12's default Boost is 1.74, too old for us; its versioned packages are 1.81. From 13 on the default will do.
# log brings thread, filesystem, regex and system; json brings container.
boost_packages() {
  local version=""
  if [[ $(. /etc/os-release && echo "${VERSION_ID:-}") == 12 ]]; then version=1.81; fi
  printf 'libboost-%s-dev\n' "json$version" "log$version" "program-options$version" "test$version"
}

# OpenSSL before 3.2 leaves the wide vector instructions unused (include/gotunnel/crypto/aead.hpp); Debian 13 has a newer one.
wide_gcm_packages() {
  if [[ $(. /etc/os-release && echo "${VERSION_ID:-}") == 12 && $(dpkg --print-architecture) == amd64 ]]; then
    echo libipsec-mb-dev
  fi
}

packages_for() {
  case $1 in
    build)
      printf '%s\n' build-essential cmake ninja-build ccache libssl-dev libfmt-dev libseccomp-dev
      boost_packages
      wide_gcm_packages
      ;;
    # busybox serves the demo page: 800 KiB against the 30 MiB of a Python that a fresh Debian does not have.
    run_demo) printf '%s\n' openssl curl busybox ;;
    test) printf '%s\n' openssl curl procps iproute2 nftables python3 golang-go golang-github-xtaci-smux-dev ;;
    *)
      echo "packages_for: no set named $1" >&2
      return 1
      ;;
  esac
}

# True when dpkg has every one of these packages installed and configured.
all_installed() {
  local states
  states=$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null) || return 1
  ! grep -qvx installed <<<"$states"
}

install_packages() {
  local set wanted=() as_root=()
  for set in "$@"; do
    mapfile -t -O "${#wanted[@]}" wanted < <(packages_for "$set")
  done
  if all_installed "${wanted[@]}"; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "This script installs packages with apt-get (Debian 12 or 13). Elsewhere install by hand: ${wanted[*]}" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "Packages are missing: run this as root, or install sudo. Needed: ${wanted[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing packages: ${wanted[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "${wanted[@]}" >/dev/null
}
