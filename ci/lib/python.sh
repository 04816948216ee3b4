# A Python interpreter with packages of PyPI. Sourced by ci/golden.sh, ci/interop.sh and ci/prove-algebra.sh.

# use_python NAME REQUIREMENT...: sets `python` to an interpreter with these packages, in a virtual environment of that
# name under target. Needs python3 with venv.
use_python() {
    local venv=${CARGO_TARGET_DIR:-target}/$1
    python=$venv/bin/python
    [[ -x $python ]] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}
