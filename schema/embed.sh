#!/bin/sh
# Prints the SQL of this folder as C: tables and their constant rows, views (as temporary ones too), indexes and what an
# export reads as strings, and the canned queries and those of diagnoses as arrays sorted by name, each with the line of
# description that its file opens with.
set -eu
cd "$(dirname "$0")"
quote() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$@"; }

echo '#include "schema.h"'
for part in tables nsight views indexes export; do
    echo "const char grosr_sql_${part}[] ="
    quote $part.sql
    echo '    ;'
done
echo 'const char grosr_sql_temp_views[] ='
sed 's/^CREATE VIEW/CREATE TEMP VIEW/' views.sql | quote
echo '    ;'
for folder in queries diagnose; do
    array=$([ $folder = queries ] && echo grosr_canned_queries || echo grosr_diagnose_queries)
    echo "const struct grosr_canned_query ${array}[] = {"
    for name in $(for file in "$folder"/*.sql; do basename "$file" .sql; done | LC_ALL=C sort); do
        file=$folder/$name.sql
        head -n 1 "$file" | grep -q '^-- ' || { echo "$file: the first line must be a description" >&2; exit 1; }
        printf '    {"%s", "%s",\n' "$name" "$(head -n 1 "$file" | sed -e 's/^-- //' -e 's/"/\\"/g')"
        quote "$file"
        echo '    },'
    done
    echo '    {0, 0, 0},'
    echo '};'
done
