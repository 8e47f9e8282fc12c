#!/usr/bin/env bash
# Prints the path of libfaketime, and fetches it if it is missing. `make chaos` sets clocks with it.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/services/fetch.sh
source "$CHECKOUT/scripts/services/fetch.sh"

AS_SERVICE_USER=()
mkdir -p "$RUN/log"
choose_server_cache

find_in() { find "$@" -name libfaketimeMT.so.1 -path '*faketime*' 2>/dev/null | head -n 1; }

library=$(find_in /usr/lib)
if [[ -z $library ]]; then
    unpacked=$(fetch_debian_package libfaketime) || die "libfaketime could not be fetched: install it (apt-get install libfaketime)."
    library=$(find_in "$unpacked")
fi
[[ -n $library ]] || die "libfaketime could not be found"
printf '%s\n' "$library"
