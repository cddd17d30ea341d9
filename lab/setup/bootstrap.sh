#!/bin/sh
# Makes .venv match the lock files exactly. Needs only Python 3.12. A second run does nothing.
set -eu
cd "$(dirname "$0")/../.."

locks="requirements/airflow.lock requirements/uv.lock"
# shellcheck disable=SC2086
wanted="$(cat $locks | cksum) $PWD"
[ "$(cat .venv/.installed 2>/dev/null)" = "$wanted" ] && exit 0

fail() {
    echo "$1" >&2
    exit 1
}

case "$(uname -s) $(uname -m)" in
"Linux x86_64" | "Linux aarch64" | "Darwin arm64") ;;
*) fail "This does not run on $(uname -s) $(uname -m); it needs Linux (x86-64, arm64) or macOS (Apple silicon)." ;;
esac
case "$PWD" in
*[[:space:]\"%\;:]*) fail "This does not run in a folder whose path contains a blank or one of \" % ; : ($PWD); move the checkout." ;;
esac

is_python_3_12() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null
}

if ! is_python_3_12 .venv/bin/python; then
    python=
    for candidate in python3.12 python3 python; do
        if is_python_3_12 "$candidate"; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "Python 3.12 is not on PATH; install it (a package python3.12, or pyenv), then run this again."
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "This Python 3.12 cannot create virtual environments; install the package python3.12-venv, then run this again."
    echo "set-up: making .venv with $("$python" --version)" >&2
    rm -rf .venv
    "$python" -m venv .venv
fi

log=.venv/install.log
stop() {
    echo "set-up: .venv failed; the end of $PWD/$log:" >&2
    tail -n 20 "$log" | sed 's/^/  | /' >&2
    fail "  do:   check the network and the free disk space (1 GB); then run the same command again."
}

version=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements/uv.lock)
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$version" ]; then
    echo "set-up: installing uv $version" >&2
    .venv/bin/python -m ensurepip >"$log" 2>&1 || stop
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
        -r requirements/uv.lock >"$log" 2>&1 || stop
fi

# shellcheck disable=SC2086
echo "set-up: installing $(cat $locks | grep -c '==') packages into .venv, about half a minute" >&2
# shellcheck disable=SC2086
.venv/bin/uv pip sync --require-hashes --compile-bytecode --python .venv/bin/python $locks >"$log" 2>&1 || stop
echo "$wanted" >.venv/.installed
