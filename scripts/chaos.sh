#!/usr/bin/env bash
# The campaign of faults: builds the real binary and its breaker, and runs them, with servers of its own.
# SEED=… repeats a run, ROUNDS=… says how long it is, FAULTS=A,B what may break. See docs/CHAOS.md.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

cargo build --release --workspace --bin backscroll --bin chaos
exec target/release/chaos
