#!/bin/sh
# Builds and checks the committed tree on a bare machine: a minimal Debian 12 without the CUDA toolkit, made anew in a
# temporary folder, with git and make and nothing else. Run by hand, as root, with debootstrap installed:
#
#     tests/bare.sh [MIRROR]
#
# MIRROR is where packages come from; without it, the first archive that this machine's own apt has. `make demo` and
# `make check` run without /dev/pts, as in a build sandbox, then the command's tests once more with it. Both lines of
# totals are printed; the exit code is 0 only when everything is green. All is removed again, mounts included.
set -eu
suite=bookworm
root=$(cd "$(dirname "$0")/.." && pwd)
packages='git make ca-certificates'

die()
{
    echo "bare.sh: $*" >&2
    exit 2
}

# The inner half: in namespaces of its own, so that its mounts and processes end with it.
if [ "${1-}" = --inside ]; then
    folder=$2
    mount --make-rprivate /
    mount -t proc proc "$folder/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$folder/dev/shm"
    in_chroot()
    {
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
            chroot "$folder" /bin/sh -c "$1" </dev/null
    }
    code=0
    in_chroot "apt-get update -qq && apt-get install -qq -y --no-install-recommends $packages >/dev/null"
    in_chroot 'git clone -q /source.git /grosr'
    echo '---- make demo, without /dev/pts'
    in_chroot 'cd /grosr && make demo' || code=1
    echo '---- make check, without /dev/pts'
    in_chroot 'cd /grosr && .ci/run' || code=1
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$folder/dev/pts"
    rm -f "$folder/dev/ptmx"
    ln -s pts/ptmx "$folder/dev/ptmx"
    echo '---- tests/run cli/, with /dev/pts'
    in_chroot 'cd /grosr && tests/run cli/' || code=1
    exit "$code"
fi

[ "$(id -u)" = 0 ] || die 'needs root, for chroot'
command -v debootstrap >/dev/null || die 'debootstrap is not installed'
# shellcheck disable=SC2016 # apt's own variables
mirror=${1:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)}
[ -n "$mirror" ] || die 'apt has no archive configured; name a MIRROR'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM HUP
debootstrap --variant=minbase "$suite" "$folder/root" "$mirror" >"$folder/log" 2>&1 ||
    { tail -n 20 "$folder/log" >&2; die 'debootstrap failed'; }
# Without pseudo-terminals until the inner half mounts them, whatever debootstrap has made.
umount "$folder/root/proc" 2>/dev/null || :
git clone -q --bare "$root" "$folder/root/source.git"
chown -R 0:0 "$folder/root/source.git"

# In the background, so that a signal ends it at once: unshare itself has most of them blocked, and its child dies with it.
unshare --mount --pid --fork --kill-child "$0" --inside "$folder/root" &
inner=$!
trap 'kill -KILL "$inner" 2>/dev/null || :; wait "$inner" || :; rm -rf --one-file-system "$folder"' EXIT
code=0
wait "$inner" || code=$?
exit "$code"
