# shellcheck shell=bash
# Sourced by the scripts beside it: starting, finding and ending a daemon, free ports, locks, Debian packages.
# Does not: knowing any particular service. What the services write lies under $SERVICES (default ./.services).

set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SERVICES=${AILA_SERVICES_HOME:-$REPOSITORY/.services}
mkdir -p "$SERVICES"

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

# as_root COMMAND...: runs it as root, or fails (2) where neither root nor a sudo without a password is at hand.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 2
  fi
}

# need_packages "COMMAND..." PACKAGE...: installs the packages when one of the commands is missing.
need_packages() {
  local commands=$1 command missing=""
  shift
  for command in $commands; do command -v "$command" >/dev/null || missing=$command; done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null || die "$missing is missing, and there is no apt-get; install what gives: $commands"
  say "installing $* ($missing is missing)"
  # The lists of a fresh container are empty, so a first failure is no failure yet.
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null 2>&1 ||
    { as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null; } ||
    die "$missing is missing; install it with: sudo apt-get install --no-install-recommends $*"
}

# free_port: a port nobody listens on. Below Linux's ephemeral range (32768), so that no outgoing
# connection takes it between here and the daemon's own bind.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
  die "no free port found"
}

# alive PIDFILE WORD: whether the process of that file runs and its command line holds WORD. The word guards
# against a number that was given to another process since.
alive() {
  local pid
  [ -n "$2" ] && pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] || return 1
  grep -q ') [^ZX] ' "/proc/$pid/stat" 2>/dev/null && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# launch PIDFILE LOG COMMAND...: starts a daemon in a session of its own, so that a Ctrl-C meant for the tests does
# not end it under them, without the locks (descriptors 8 and 9), which would otherwise be held as long as it runs.
launch() {
  local pidfile=$1 log=$2
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
  echo $! >"$pidfile"
}

# terminate PIDFILE WORD [SIGNAL]: the signal (TERM), 15 s of patience, then KILL.
terminate() {
  local pidfile=$1 word=$2 signal=${3:-TERM} tenths=150 pid
  if alive "$pidfile" "$word"; then
    pid=$(cat "$pidfile")
    kill "-$signal" "$pid" 2>/dev/null || true
    while alive "$pidfile" "$word" && [ $((tenths -= 1)) -gt 0 ]; do sleep 0.1; done
    ! alive "$pidfile" "$word" || { say "ending $word ($pid) by force"; kill -KILL "$pid" 2>/dev/null || true; }
  fi
  rm -f "$pidfile"
}

# wait_for SECONDS COMMAND...: until the command succeeds; 1 when it never did.
wait_for() {
  local tenths=$(($1 * 10))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((tenths -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}

# locked NAME COMMAND...: one at a time on this tree; the lock ends with the command.
locked() {
  local name=$1
  shift
  (flock -w 300 9 || die "another start or stop of $name takes too long"; "$@") 9>"$SERVICES/$name.lock"
}
