#!/bin/sh
# What `make demo` runs: a tour of the command on whatever device this machine has.
#
#     tests/demo.sh GROSR DATABASE
set -eu
grosr=$1
db=$2
live=
output=$(mktemp)
trap 'rm -f "$output"; if [ -n "$live" ]; then kill "$live" 2>/dev/null || :; fi' EXIT
trap 'exit 1' INT TERM HUP

say()
{
    printf '\n%s\n' "$*"
}

# Shows a command as one would type it, then runs it.
try()
{
    printf '\n$ grosr'
    for word; do
        case $word in
        *[!A-Za-z0-9_./=-]*) printf ' "%s"' "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$grosr" "$@"
}

if "$grosr" info --json | grep -q '"device": *"cuda"'; then
    say "This machine has a CUDA GPU: the persistent kernel runs on it."
else
    say "No CUDA GPU here: the persistent kernel runs on the host device, a thread for each warp."
fi

say "1. A kernel that goes on for three seconds, and a look at it while it runs."
printf '\n$ grosr run arith --level counters --seconds 3 &\n'
"$grosr" run arith --level counters --seconds 3 >"$output" 2>&1 &
live=$!
# Its session is there a moment later; on a GPU, when the driver is up.
tries=0
until "$grosr" top "$live" --once --json >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$live" 2>/dev/null; then
        cat "$output" >&2
        exit 1
    fi
    sleep 0.1
done
try top "$live" --once
if wait "$live"; then ended=0; else ended=1; fi
live=
printf '\n'
cat "$output"
[ "$ended" = 0 ]

say "2. A run of 100000 tasks, with every step recorded."
try run arith --tasks 100000 -o "$db"

say "3. Questions to the trace: a canned one, and SQL."
try query "$db" functions
try query "$db" "SELECT task, function, worker, sm, queued_ns, run_ns FROM tasks ORDER BY queued_ns DESC LIMIT 5"

say "4. Whether to trust it: is anything missing?"
try query "$db" health

say "5. Tasks that spawn tasks, and tasks that wait for others: nothing comes from the CPU but the roots."
try run spawn --tasks 100000 -o "$db"
try query "$db" spawn-tree
try run pipeline --tasks 100000 -o "$db"
try query "$db" spawn-tree

say "What to try next:
    $grosr run arith --seconds 60        and in another terminal: $grosr top
    $grosr query $db               the other canned queries
    $grosr help                          the commands; grosr(1) has the rest"
