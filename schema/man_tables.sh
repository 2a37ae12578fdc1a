#!/bin/sh
# Prints grosr-schema.5.scd: the text of grosr-schema.5.scd.in with each line of the form @NAME@ replaced by text that is
# generated from this folder, so that the manual cannot become outdated:
#
#     @EVENTS@ @RESOURCES@   events.def
#     @TABLES@               tables.sql: its tables, columns and comments
#     @QUERIES@              queries/*.sql: names and first lines
set -eu
cd "$(dirname "$0")"

# In scdoc, _ and * mark emphasis and \ escapes.
escape() { sed -e 's/\\/\\\\/g' -e 's/[_*]/\\&/g'; }

# The entries of a macro in events.def, a line each; fields separated by tabs, quotes gone.
entries() {
    awk -v macro="$1" '
        index($0, macro "(") == 1 { text = ""; inside = 1 }
        inside {
            sub(/^[ \t]+/, "")
            text = text (text == "" ? "" : " ") $0
        }
        inside && /\)$/ {
            inside = 0
            text = substr(text, length(macro) + 2, length(text) - length(macro) - 2)
            out = ""
            quoted = 0
            for (i = 1; i <= length(text); i++) {
                c = substr(text, i, 1)
                if (c == "\"") {
                    quoted = !quoted
                } else if (c == "," && !quoted) {
                    out = out "\t"
                    while (substr(text, i + 1, 1) == " ") i++
                } else {
                    out = out c
                }
            }
            print out
        }' events.def
}

# A table of scdoc, from lines of tab-separated cells; the first line is the heading.
table() {
    awk -F '\t' '{
        for (i = 1; i <= NF; i++)
            print (i > 1 ? ":" : "|") (NR == 1 ? (i == NF ? "< " : "[ ") : "  ") (NR == 1 ? "*" $i "*" : $i)
    } END { print "" }'
}

events() {
    { printf 'kind\tname\tlevel\tpayload bits\tmeaning\n'
      entries GROSR_EVENT | awk -F '\t' -v OFS='\t' '{ print $1, $3, tolower($4), $5, $6 }' | escape; } | table
}

resources() {
    { printf 'resource\tname\tmeaning\n'
      entries GROSR_RESOURCE | awk -F '\t' -v OFS='\t' '{ print $1, $3, $4 }' | escape; } | table
}

tables() {
    escape < tables.sql | awk '
        function comment() {
            if (!match($0, /--/)) return ""
            return substr($0, RSTART + 3)
        }
        /^CREATE TABLE/ {
            printf "## %s\n\n", $3
            if (comment() != "") printf "%s.\n\n", toupper(substr(comment(), 1, 1)) substr(comment(), 2)
            first = 1
            next
        }
        /^\)/ { print ""; next }
        /^    PRIMARY KEY/ { next }
        /^    / {
            definition = $0
            sub(/--.*/, "", definition)
            gsub(/NOT NULL|PRIMARY KEY|DEFAULT [0-9]+|[,"]/, "", definition)
            split(definition, word, " ")
            if (first) print "|[ *column*\n:[ *type*\n:< *meaning*"
            first = 0
            printf "|  %s\n:  %s\n:  %s\n", word[1], word[2], comment()
        }'
}

queries() {
    { printf 'name\tanswers\n'
      for name in $(for file in queries/*.sql; do basename "$file" .sql; done | LC_ALL=C sort); do
          printf '%s\t%s\n' "$name" "$(head -n 1 "queries/$name.sql" | sed -e 's/^-- //')"
      done | escape; } | table
}

while IFS= read -r line; do
    case $line in
    @EVENTS@) events ;;
    @RESOURCES@) resources ;;
    @TABLES@) tables ;;
    @QUERIES@) queries ;;
    *) printf '%s\n' "$line" ;;
    esac
done < grosr-schema.5.scd.in
