# Sourced by the scripts beside it: sees to it that .venv holds msgstore and its tools.
#
# Needs python3 of at least 3.11 and a way to install packages (pip, and its index). PYTHON names
# another interpreter. The environment is made once, and again when pyproject.toml, the interpreter
# or the place of the repository has changed.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$repository/.venv

_is_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

_find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if _is_python "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "${0##*/}: no Python of at least 3.11 was found; name one: PYTHON=/path/to/python ${0##*/}" >&2
    return 1
}

_make_venv() {
    # Some systems part `venv` from `ensurepip`: then the interpreter's own pip fills the new one.
    local log
    if ! log=$("$1" -m venv --clear "$venv" 2>&1); then
        if ! "$1" -m venv --clear --without-pip "$venv" >/dev/null 2>&1 ||
            ! "$1" -m pip --python "$venv/bin/python" install -qq pip; then
            printf '%s\n' "$log" >&2
            return 1
        fi
    fi
}

make_environment() {
    local python wanted
    python=$(_find_python)
    wanted="$repository $("$python" -c 'import sys; print(sys.version, sys.prefix)') $(cksum <"$repository/pyproject.toml")"
    if _is_python "$venv/bin/python" && [[ -f $venv/made-for && $(<"$venv/made-for") == "$wanted" ]]; then
        return
    fi
    echo "making $venv with $("$python" --version)" >&2
    _make_venv "$python"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e "$repository[dev]" >&2
    printf '%s\n' "$wanted" >"$venv/made-for"
}

add_extra() {
    # Installs an extra of pyproject.toml into the environment, once. What needs it goes on without.
    [[ -f $venv/made-for-$1 && $venv/made-for-$1 -nt $venv/made-for ]] && return
    echo "adding [$1] to $venv" >&2
    if "$venv/bin/python" -m pip install -qq --disable-pip-version-check -e "$repository[$1]" >&2; then
        touch "$venv/made-for-$1"
    else
        echo "${0##*/}: could not install all of [$1]; going on without" >&2
    fi
}
