# A Debian root for checks that need a compiler, a C library or an emulator which the host may not have.
# Sourced by ci/other-architectures.sh, ci/thread-sanitizer.sh and ci/no-sse2.sh, which share one root.
#
# The root holds Debian's own Rust compiler, whose standard library is packaged for every architecture of Debian. It
# must be run as root on an x86-64 Debian with apt. Outside the cache folder nothing is changed, except that mmdebstrap
# is installed if it is missing.

# The suite: the oldest one whose compiler satisfies `rust-version`.
suite=forky
debian_architectures=amd64,arm64,armhf,i386,ppc64el,riscv64,s390x

# use_cache FOLDER: sets `cache` and `root`, and lets one run at a time use the folder.
use_cache() {
    mkdir -p "$1"
    cache=$(cd "$1" && pwd)
    root=$cache/$suite
    exec 9>"$cache/lock"
    if ! flock --nonblock 9; then
        echo "waiting for another run in $cache" >&2
        flock 9
    fi
}

# make_root: makes the root if it is not there yet. A root whose making was interrupted is made again.
make_root() {
    if [[ ! -e $root/made ]]; then
        command -v mmdebstrap >/dev/null || apt-get install -qq -y --no-install-recommends mmdebstrap
        # The mirror is the one that the host's apt uses.
        local mirror
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' |
            sort -u | head -n 1)
        if [[ -z $mirror ]]; then
            echo 'apt knows no Debian mirror; run `apt-get update` first' >&2
            return 1
        fi
        rm -rf "$root"
        # A mirror that is updated rarely serves release files past their validity; their signatures are still checked.
        mmdebstrap --quiet --variant=apt --architectures="$debian_architectures" \
            --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
            --skip=cleanup/apt/lists "$suite" "$root" "deb $mirror $suite main"
        touch "$root/made"
    fi
    mkdir -p "$root"/{project,cargo,target,etc/ssl/certs} "$cache"/{cargo,target}
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    # The certificates that the host trusts.
    cp -L "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt"
    install_packages rustc cargo gcc libc6-dev
}

# install_packages PACKAGE...: installs those that are missing. An interrupted installation is completed first.
install_packages() {
    inside '
        dpkg --configure -a
        for package; do
            dpkg-query -f "\${db:Status-Status}\n" -W "$package" 2>/dev/null | grep -qx installed && continue
            apt-get install -qq -y --no-install-recommends --fix-broken "$package" >/dev/null
        done
        apt-get clean
    ' "$@"
}

# inside PROGRAM ARGUMENT...: runs a bash program in the root, with the project mounted read-only at /project and the
# crates and build results kept in the cache. The mounts disappear with the program. Variables listed in `pass`
# (NAME=VALUE) are set.
pass=()
inside() {
    unshare --mount --propagation private bash -euc '
        root=$1 cache=$2 project=$3
        shift 3
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount --bind "$project" "$root/project"
        mount -o remount,bind,ro "$root/project"
        mount --bind "$cache/cargo" "$root/cargo"
        mount --bind "$cache/target" "$root/target"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_TERM_PROGRESS_WHEN=never \
            CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt RUST_BACKTRACE=1 "$@"
    ' _ "$root" "$cache" "$project" "${pass[@]}" bash -euo pipefail -c "$1" _ "${@:2}" 9>&-
}

# The compiler's version, for the record.
compiler() {
    inside 'rustc --version | cut -d" " -f1,2'
}
