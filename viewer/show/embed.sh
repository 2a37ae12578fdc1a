#!/bin/sh
# Prints a file as a C string: embed.sh FILE SYMBOL HEADER, where HEADER declares the symbol.
set -eu
printf '#include "%s"\nconst char %s[] =\n' "$3" "$2"
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
echo '    ;'
