#!/bin/sh
# What `make deps` does: finds out what this machine lacks for building and testing GROSR, and installs it with apt-get
# when it may. Silent when nothing is missing. Fails only when something is missing without which nothing is built;
# tests whose tool is missing are skipped, visibly.
set -u

required=   # packages without which there is no build
wanted=     # packages that tests and the manual use

# Libraries are known by their headers, wherever the compiler finds them.
header()
{
    printf '#include <%s>\n' "$1" | ${CC:-cc} -E -x c - -o /dev/null 2>/dev/null
}

# Modules are looked for by their file, which is ten times quicker than loading them.
perl_has()
{
    perl -e 'for my $m (@ARGV) { grep { -e "$_/$m" } @INC or exit 1 }' "$@" 2>/dev/null
}

# Plots are drawn by the first python3 on the PATH that has matplotlib, or by the system's own.
matplotlib()
{
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import sys, importlib.util as u; sys.exit(not u.find_spec("matplotlib"))' 2>/dev/null && return
    done
    return 1
}

tool()
{
    command -v "$1" >/dev/null 2>&1 || wanted="$wanted $2"
}

compiler=${CC:-cc}    # perhaps with words after its name: "ccache gcc"
command -v "${compiler%% *}" >/dev/null 2>&1 || required="$required gcc libc6-dev"
command -v "${MAKE:-make}" >/dev/null 2>&1 || command -v make >/dev/null 2>&1 || required="$required make"
header sqlite3.h || required="$required libsqlite3-dev"
header lz4.h || required="$required liblz4-dev"
header curses.h || required="$required libncurses-dev"
perl_has Test/More.pm JSON/PP.pm TAP/Parser.pm Time/HiRes.pm Digest/SHA.pm || wanted="$wanted perl"
matplotlib || wanted="$wanted python3-matplotlib"
header liburing.h || wanted="$wanted liburing-dev"
header seccomp.h || wanted="$wanted libseccomp-dev"
header elfutils/libdwfl.h || wanted="$wanted libdw-dev"
tool scdoc scdoc
tool sqlite3 sqlite3
tool pkg-config pkg-config
tool clang-format clang-format
tool cppcheck cppcheck
tool shellcheck shellcheck
tool tmux tmux
tool protoc protobuf-compiler

[ -n "$required$wanted" ] || exit 0

# shellcheck disable=SC2086 # lists of words
set -- $required $wanted
by_hand="apt-get update && apt-get install -y --no-install-recommends $*"
as_root=
[ "$(id -u)" = 0 ] || as_root='sudo -n'

install()
{
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null
}

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: $* (these are the Debian names); install them with this system's package manager" >&2
elif [ -n "$as_root" ] && ! sudo -n true 2>/dev/null; then
    echo "missing packages; to install them:" >&2
    echo "    sudo sh -c '$by_hand'" >&2
else
    echo "installing: $*"
    log=$(mktemp)
    if ! install "$@" >"$log" 2>&1; then
        $as_root apt-get update </dev/null >>"$log" 2>&1
        if ! install "$@" >>"$log" 2>&1; then
            # One by one: a package that is not to be had must not keep out the others.
            for package; do
                install "$package" >>"$log" 2>&1 || echo "could not install $package" >&2
            done
        fi
    fi
    if header sqlite3.h && header lz4.h && header curses.h && command -v "${CC:-cc}" >/dev/null 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "to install them by hand: $by_hand" >&2
    exit 1
fi
[ -z "$required" ] || exit 1
echo "going on without them; the tests that need them are skipped" >&2
