# Makes .venv from a lock file when it is missing or the lock has changed.
# Sourced by the commands beside; expects $root and $lock (a file name).
# Sets $python to the environment's Python. POSIX sh; needs Python 3.11 or newer.

fail() {
  code=$1
  shift
  printf 'error: %s\n' "$*" >&2
  exit "$code"
}

find_python() {
  for candidate in "${SOUK_PYTHON:-python3}" python3.11 python3.12 python3.13 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
      >/dev/null 2>&1; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail 1 "Python 3.11 or newer is needed and was not found (or set SOUK_PYTHON)"
}

explain() {
  if grep -q 'No space left' "$log" 2>/dev/null; then
    fail 4 "the disk is full: $1 ($log)"
  fi
  fail 1 "$1: $(tail -n 1 "$log") (more in $log)"
}

make_environment() {
  base=$(find_python) || exit $?
  log=$(mktemp "${TMPDIR:-/tmp}/souk-install.XXXXXX") ||
    fail 4 "cannot write to ${TMPDIR:-/tmp}"
  printf 'installing the requirements into .venv (once) ...\n'
  if ! "$python" -c '' >/dev/null 2>&1; then
    "$base" -m venv --clear "$root/.venv" >"$log" 2>&1 ||
      explain "cannot make $root/.venv"
  fi
  if command -v uv >/dev/null 2>&1; then
    set -- uv pip install --python "$python"
  else
    set -- "$python" -m pip install --disable-pip-version-check --no-input
  fi
  "$@" --require-hashes -r "$root/$lock" >"$log" 2>&1 ||
    explain "cannot install $lock"
  printf '%s\n' "$wanted" >"$root/.venv/.$lock.sum" ||
    fail 4 "cannot write to $root/.venv"
  rm -f "$log"
}

# A relative data folder means one beside where the command was given.
case ${SOUK_DATA_DIR:-} in
  "" | /*) ;;
  *) SOUK_DATA_DIR=$PWD/$SOUK_DATA_DIR && export SOUK_DATA_DIR ;;
esac
cd "$root"
python=$root/.venv/bin/python
wanted=$(cksum <"$root/$lock")
if [ "$(cat "$root/.venv/.$lock.sum" 2>/dev/null)" != "$wanted" ] ||
  ! [ -x "$python" ]; then
  make_environment
fi
