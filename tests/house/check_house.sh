#!/usr/bin/env bash
# Proves the rules of the house over a tree: `check_house.sh [ROOT]`. Prints what breaks them, ends with 1 if anything does.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$here/../..}"

# Everything that is written by hand; what git ignores is built, or somebody's certificates.
mapfile -t files < <(
  for place in include src tests bench cmake scripts docker .ci CMakeLists.txt; do
    [[ ! -e $place ]] || find "$place" -type f
  done | grep -E '(\.(cpp|hpp|cmake|sh|yaml)|/?CMakeLists\.txt|^(scripts|docker|\.ci)/.*)$' | LC_ALL=C sort
)
if ((${#files[@]} == 0)); then
  echo "check_house: no sources under $PWD" >&2
  exit 2
fi
LC_ALL=C awk -f "$here/check_house.awk" "${files[@]}"
echo "check_house: ${#files[@]} files keep the rules"
