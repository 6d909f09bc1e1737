#!/bin/sh
# Sets up .venv: `./setup.sh run` installs what Atoll needs, `./setup.sh dev` the tools of its tests as well.
# Needs Python 3.11 or newer and nothing else. Returns at once while no lock has changed.
set -eu
cd "$(dirname "$0")"

case ${1:-} in
    run) lock=requirements.lock includes= ;;
    dev) lock=requirements-dev.lock includes=run ;; # its lock contains the other
    *) echo "usage: $0 run|dev" >&2; exit 2 ;;
esac
python=.venv/bin/python
log=.venv/setup.log

main() {
    mkdir -p "${HOME:=$PWD/build/home}"
    export HOME
    fingerprint=$(fingerprint)
    if is_usable && [ -x .venv/bin/atoll ] && [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$fingerprint" ]; then
        return
    fi
    is_usable || make_venv
    rm -f .venv/.installed-*
    install
    for set in $1 $includes; do echo "$fingerprint" >".venv/.installed-$set"; done
}

# Checksum of everything that the installed packages depend on. Settings of tools in pyproject.toml do not count.
fingerprint() {
    { cat requirements*.lock setup.sh; sed -n '/^\[project/,/^\[tool/p' pyproject.toml; } | cksum
}

# A .venv that was moved still runs Python, but its scripts name the old folder.
is_usable() {
    is_new_enough "$python" && { [ ! -e .venv/.place ] || [ "$(cat .venv/.place)" = "$(pwd -P)" ]; }
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_venv() {
    base=$(find_python)
    present=$(python3 -V 2>/dev/null) || present='no python3'
    [ -n "$base" ] || fail "it needs Python 3.11 or newer, but there is $present." \
        "Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," \
        "or say where it is: make PYTHON=/path/to/python3"
    echo "Setting up .venv with $("$base" -V)"
    rm -rf .venv
    if has_uv; then
        uv venv --quiet --python "$base" .venv
    elif ! output=$("$base" -m venv .venv 2>&1); then
        echo "$output" >&2
        rm -rf .venv
        fail "$base cannot make a virtual environment." \
            "Debian and Ubuntu package that part separately: apt-get install python3-venv. Or install uv."
    fi
    pwd -P >.venv/.place
}

find_python() {
    for candidate in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11 python; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

has_uv() {
    command -v uv >/dev/null
}

install() {
    total=$(grep -c '==' "$lock")
    echo "Installing $total packages ($lock)"
    if has_uv; then
        install_with uv_install && return
        echo "uv could not install them; trying pip"
    fi
    install_with pip_install || fail "the packages could not be installed; the reason is printed above."
}

install_with() {
    "$1" --require-hashes -r "$lock" -r requirements-build.lock && "$1" --no-build-isolation --no-deps --editable .
}

uv_install() {
    # On a terminal uv shows its progress.
    if [ -t 2 ]; then uv pip install --python "$python" "$@"; else uv pip install --quiet --python "$python" "$@"; fi
}

pip_install() {
    # An environment made by uv has no pip.
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null || return 1
    { "$python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@" 2>&1 || echo failed; } \
        | count_packages || { tail -n 12 "$log" | sed '$d' >&2; return 1; }
}

# Shows pip's progress on a terminal and writes its output to the log. Fails if pip failed.
count_packages() {
    count=0 last=
    : >"$log"
    while IFS= read -r line; do
        last=$line
        echo "$line" >>"$log"
        case $line in Collecting*) count=$((count + 1)); [ ! -t 1 ] || printf '\r  %s of %s' "$count" "$total" ;; esac
    done
    [ ! -t 1 ] || printf '\r\033[K'
    [ "$last" != failed ]
}

fail() {
    echo "Atoll cannot be set up: $*" >&2
    exit 1
}

main "$1"
