#!/usr/bin/env bash
# Generates migrations/derived/VERSION/: the schemas that a restored database may lack, as the migrations up to VERSION
# leave them. VERSION is the last migration, or the argument. Needed when a migration has changed one of these schemas:
#
#   scripts/with-services.sh scripts/derived-schemas.sh [VERSION]
#
# Then add the version to migrations/src/derived.rs. The folder of a release stays: a backup of that release may be
# restored years later. Delete the folder of a version that no release had.

# shellcheck source=scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$CHECKOUT"

# Schemas that a backup may lack. `public` and `secret` are in every backup.
SCHEMAS=(read proof state)
SCRATCH=backscroll_derived_$$
# shellcheck source=scripts/scratch.sh
source "$CHECKOUT/scripts/scratch.sh"

last_version() {
    local LC_ALL=C migrations=(migrations/postgres/*.sql)
    basename "${migrations[-1]}" | cut -d_ -f1
}

# Without comments, settings of the session, and commands of psql.
write_schema() {
    local folder=$1 schema=$2
    "$CHECKOUT/scripts/services.sh" pg_dump "$SCRATCH_URL" --schema-only --no-owner --no-privileges --schema="$schema" \
        | grep -vE '^(--|SET |SELECT pg_catalog\.set_config|\\(un)?restrict)' | cat -s | sed '1{/^$/d}' >"$folder/$schema.sql"
    [[ -s $folder/$schema.sql ]] || rm "$folder/$schema.sql"
}

version=${1:-$(last_version)}
folder=migrations/derived/$version
create_scratch_database
trap drop_scratch_database EXIT
run_migrations "$version"
mkdir -p "$folder"
for schema in "${SCHEMAS[@]}"; do
    write_schema "$folder" "$schema" 2>"$folder/errors" || { grep -q "no matching schemas" "$folder/errors" || die "$(<"$folder/errors")"; }
done
rm -f "$folder/errors"
say "$folder: $(cat "$folder"/*.sql | grep -c '^CREATE TABLE ') tables"
