#!/usr/bin/env bash
# Builds the real binary and the program that breaks it, and runs a campaign of faults with its own servers.
# SEED=… repeats a run, ROUNDS=… is its length, FAULTS=A,B limits the faults. See docs/CHAOS.md.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"
require_rust

cargo build --release --workspace --bin backscroll --bin chaos
exec target/release/chaos
