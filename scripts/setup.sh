#!/bin/sh
# Makes .venv what a lock says: scripts/setup.sh run|test|notebook|deploy. Does nothing where that is done.
#
# PYTHON=/path/to/python chooses the interpreter. uv is used where it is on PATH, pip otherwise.
set -eu
cd "$(dirname "$0")/.."

kind=${1:?run, test, notebook or deploy}
lock=requirements/$kind.txt
bin=.venv/bin
log=.cache/setup-$kind.log
incomplete=.venv/.incomplete

# What an installation depends on; a checkout that was moved has scripts that point nowhere.
state_of() { printf '%s\n' "$(cksum <"requirements/$1.txt") $(cksum <pyproject.toml) $(pwd)"; }
is_done() {
    [ -x $bin/python ] && [ ! -e $incomplete ] &&
        [ "$(cat ".venv/.installed-$kind" 2>/dev/null)" = "$(state_of "$kind")" ]
}
! is_done || exit 0

say() { printf '%s\n' "$*" >&2; }

# Succeeds for Python 3.11 to 3.13 with the modules that the project needs.
suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
import bz2, ctypes, lzma, sqlite3, ssl, venv' >/dev/null 2>&1 || return 1
    command -v uv >/dev/null 2>&1 || "$1" -c 'import ensurepip' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        suits "$PYTHON" && printf '%s\n' "$PYTHON" && return
        say "PYTHON=$PYTHON is not a complete Python 3.11, 3.12 or 3.13."
        return 1
    fi
    for candidate in python3.13 python3.12 python3.11 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123].*/bin/python; do
        if suits "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "No complete Python 3.11, 3.12 or 3.13 was found. Install one and run this again:"
    say "  Debian, Ubuntu:  apt-get install python3 python3-venv"
    say "  macOS:           brew install python@3.13"
    say "  anywhere:        uv python install 3.13, then make setup PYTHON=\$(uv python find 3.13)"
    return 1
}

# Runs a command with its output in the log and a dot every few seconds.
quietly() {
    (while sleep 3; do printf '.' >&2; done) &
    ticker=$!
    trap 'kill $ticker 2>/dev/null; exit 130' INT TERM
    status=0
    "$@" >>"$log" 2>&1 || status=$?
    kill $ticker 2>/dev/null
    wait $ticker 2>/dev/null || true
    trap - INT TERM
    printf '\n' >&2
    if [ $status -ne 0 ]; then
        tail -n 25 "$log" >&2
        say "Setup failed; the whole log is in $log. Run it again when the reason is gone."
        exit $status
    fi
}

install() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --python $bin/python --no-build-isolation "$@"
    else
        # uv-build, the project's build tool, is looked up on PATH.
        PATH="$(pwd)/$bin:$PATH" $bin/python -m pip --disable-pip-version-check install \
            --no-compile --no-build-isolation "$@"
    fi
}

install_all() {
    # PySpark comes as source, and the project itself is built: with no build isolation both use
    # the hashed build tools of the lock. setuptools therefore has to come first. The lock is
    # complete, so nothing is resolved.
    awk '/^[^ #]/ { on = /^setuptools==/ } on' "$lock" >.cache/build-tools.txt
    install --require-hashes --no-deps -r .cache/build-tools.txt &&
        install --require-hashes --no-deps -r "$lock" &&
        install --no-deps --editable .
}

# Compiled now, on all processors, so that no later start pays for it. Left out is what a start
# imports little of: the large Azure packages, and the tests of other projects. A file in a package
# that is a template and not Python is no error.
compile_bytecode() {
    env -u PYTHONPYCACHEPREFIX $bin/python -m compileall -qq -j 0 -x '/(azure|azureml|databricks|pip|tests?)/' .venv/lib \
        assets bikecast pipelines resources || true
}

# An installation that was broken off cannot be trusted, so it starts anew.
new_venv() {
    rm -rf .venv
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$python" .venv
    else
        "$python" -m venv .venv
    fi
}

mkdir -p .cache
# A second setup waits for the first and then finds that nothing is left to do.
exec 9>.cache/setup.lock
if command -v flock >/dev/null 2>&1; then
    flock 9
    ! is_done || exit 0
fi
: >"$log"
if ! [ -x $bin/python ] || [ -e $incomplete ] || ! [ -e .venv/.ready ]; then
    python=$(find_python)
    printf '%s' "Creating .venv with $("$python" --version) " >&2
    quietly new_venv
    : >.venv/.ready
fi
: >$incomplete
rm -f .venv/.installed-*
printf '%s' "Installing $lock " >&2
quietly install_all
printf '%s' "Compiling bytecode " >&2
quietly compile_bytecode
# Each lock has all that the run lock has.
for done in run "$kind"; do
    state_of "$done" >".venv/.installed-$done"
done
rm -f $incomplete
say "Ready: .venv has $kind ($($bin/python --version))."
