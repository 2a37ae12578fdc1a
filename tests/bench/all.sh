#!/bin/sh
# Every experiment on this machine: as tables, or, when PLOT is 1, as JSON, SVG and PNG in FOLDER.
# Usage: all.sh GROSR FOLDER [PLOT [DEVICE]]
set -eu
grosr=$1 folder=$2 plot=${3:-} device=${4:-auto}
here=$(dirname "$0")

# The distribution's matplotlib is for its own python3.
python=python3
"$python" -c 'import matplotlib' 2>/dev/null || python=/usr/bin/python3

mkdir -p "$folder"
for name in $("$grosr" bench --list | cut -d ' ' -f 1); do
    echo
    if [ "$plot" = 1 ]; then
        file=$folder/$name
        "$grosr" bench "$name" --device "$device" --json --plot "$file.svg" >"$file.json"
        "$python" "$here/plot.py" -o "$file.png" "$file.json"
        echo "$file.json $file.svg $file.png"
    else
        "$grosr" bench "$name" --device "$device"
    fi
done
