#!/bin/sh
# Makes .venv hold what Atoll needs: `./setup.sh run`, or `./setup.sh dev` with the tools of its tests.
# Needs Python 3.11 or newer and nothing else, and does nothing where no lock changed.
set -eu
cd "$(dirname "$0")"

case ${1:-} in
    run) lock=requirements.lock also= ;;
    dev) lock=requirements-dev.lock also=run ;; # its lock holds all of the other
    *) echo "usage: $0 run|dev" >&2; exit 2 ;;
esac
python=.venv/bin/python
log=.venv/setup.log

main() {
    mkdir -p "${HOME:=$PWD/build/home}"
    export HOME
    wanted=$(fingerprint)
    if is_ours && [ -x .venv/bin/atoll ] && [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    is_ours || make_venv
    rm -f .venv/.installed-*
    install
    for set in $1 $also; do echo "$wanted" >".venv/.installed-$set"; done
}

# What the set-up depends on. The tools' own settings in pyproject.toml change nothing.
fingerprint() {
    { cat requirements*.lock setup.sh; sed -n '/^\[project/,/^\[tool/p' pyproject.toml; } | cksum
}

# A moved .venv runs, but its scripts name the old place.
is_ours() {
    is_new_enough "$python" && { [ ! -e .venv/.place ] || [ "$(cat .venv/.place)" = "$(pwd -P)" ]; }
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

make_venv() {
    base=$(find_python)
    found=$(python3 -V 2>/dev/null) || found=none
    [ -n "$base" ] || fail "it needs Python 3.11 or newer, and finds $found." \
        "Install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," \
        "or say where it is: make PYTHON=/path/to/python3"
    echo "Setting up .venv with $("$base" -V)"
    rm -rf .venv
    if has_uv; then
        uv venv --quiet --python "$base" .venv
    elif ! said=$("$base" -m venv .venv 2>&1); then
        echo "$said" >&2
        rm -rf .venv
        fail "$base cannot make a virtual environment. Debian and Ubuntu keep that apart: apt-get install python3-venv." \
            "Or install uv, which needs no more."
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
    install_with pip_install || fail "the packages could not be installed; the reason stands above."
}

install_with() {
    "$1" --require-hashes -r "$lock" -r requirements-build.lock && "$1" --no-build-isolation --no-deps --editable .
}

uv_install() {
    # On a terminal uv tells how far it has come.
    if [ -t 2 ]; then uv pip install --python "$python" "$@"; else uv pip install --quiet --python "$python" "$@"; fi
}

pip_install() {
    # uv makes environments without pip.
    "$python" -m pip --version >/dev/null 2>&1 || "$python" -m ensurepip >/dev/null || return 1
    { "$python" -m pip install --disable-pip-version-check --no-input --progress-bar off "$@" 2>&1 || echo failed; } \
        | count_packages || { tail -n 12 "$log" | sed '$d' >&2; return 1; }
}

# Says on a terminal how far pip has come, and keeps its own words in the log. Fails when pip did.
count_packages() {
    seen=0 line=
    : >"$log"
    while IFS= read -r next; do
        line=$next
        echo "$line" >>"$log"
        case $line in Collecting*) seen=$((seen + 1)); [ ! -t 1 ] || printf '\r  %s of %s' "$seen" "$total" ;; esac
    done
    [ ! -t 1 ] || printf '\r\033[K'
    [ "$line" != failed ]
}

fail() {
    echo "Atoll cannot be set up: $*" >&2
    exit 1
}

main "$1"
