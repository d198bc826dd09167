# Steps with a name, their seconds and, when one fails, one sentence. Sourced by the programs in deploy/.
# shellcheck shell=bash

HARBOUR_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
HARBOUR_DATA=${HARBOUR_DATA:-${HOME:-/root}/.harbour}
export HARBOUR_DATA

harbour_log=
harbour_step_name=
harbour_ticker=
harbour_watch=

harbour_now() { printf '%s' "${EPOCHREALTIME/,/.}"; }

harbour_since() { awk -v a="$1" -v b="$(harbour_now)" 'BEGIN { printf "%.1f", b - a }'; }

# Opens the log that commands of steps write to. Argument: a name.
harbour_open_log() {
    local folder=$HARBOUR_DATA/logs
    if ! mkdir -p "$folder" 2>/dev/null || ! : >>"$folder/$1.log" 2>/dev/null; then
        harbour_fail "The folder $HARBOUR_DATA cannot be written. Mend its owner, or set HARBOUR_DATA to another one."
    fi
    chmod 700 "$HARBOUR_DATA"
    harbour_log=$folder/$1.log
    printf '\n=== %s\n' "$(date -u +%FT%TZ)" >>"$harbour_log"
}

# Ends the program with one sentence: what could not be done, and how to mend it.
harbour_fail() {
    harbour_stop_ticker
    harbour_watch_stop
    printf '\n%s\n' "$*" >&2
    local said=
    if [[ -n $harbour_log ]]; then
        # Of this run only, which begins at the last line of ===.
        said=$(tail -n 12 "$harbour_log" | cut -c1-200 |
            awk '/^=== / { text = ""; next } { text = text "    " $0 "\n" } END { printf "%s", text }')
    fi
    if [[ -n $said ]]; then printf 'The log is %s; its last lines:\n%s\n' "$harbour_log" "$said" >&2; fi
    exit 1
}

# Runs a step: harbour_step "Name" function [argument ...]
harbour_step() {
    local name=$1 started
    shift
    started=$(harbour_now)
    harbour_step_name=$name
    harbour_note=
    if [[ -t 1 ]]; then printf '  %s ...' "$name"; else printf '  %s ...\n' "$name"; fi
    "$@"
    harbour_stop_ticker
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
    printf '  %-28s %6s s%s\n' "$name" "$(harbour_since "$started")" "${harbour_note:+   $harbour_note}"
}

# What a step wants to say at its end.
harbour_say() { harbour_note=$*; }

# Runs a command of a step with its output in the log; shows on a terminal what it is doing.
harbour_run() {
    printf '$ %s\n' "$*" >>"$harbour_log"
    harbour_start_ticker
    local status=0
    "$@" >>"$harbour_log" 2>&1 </dev/null || status=$?
    harbour_stop_ticker
    return $status
}

# All that a process has started, and what that has started.
harbour_descendants() {
    local one
    for one in $(pgrep -P "$1"); do
        printf '%s\n' "$one"
        harbour_descendants "$one"
    done
}

# Gives what this program starts from now on a limit in seconds, for it might wait without end. Where the limit is reached,
# what all were doing goes into the log, and they are ended: those first whose command line matches the pattern, so that
# what started them can still say how far they came.
harbour_watch_start() {
    # Of a part that runs beside others, only what that part has started.
    local owner=$BASHPID
    (
        self=$BASHPID
        trap 'kill $sleeper 2>/dev/null; exit 0' TERM
        sleep "$1" &
        sleeper=$!
        wait $sleeper
        printf '\nStill running after %s s:\n' "$1"
        ps -eo pid,ppid,etimes,stat,wchan:20,args --forest | cut -c1-200
        for process in $(comm -12 <(pgrep -f -- "$2" | sort) <(harbour_descendants "$owner" | sort)); do
            if command -v gdb >/dev/null; then timeout 60 gdb -p "$process" -batch -ex 'thread apply all bt 25' 2>&1; fi
            kill -ABRT "$process"
        done
        sleep 20
        for process in $(pgrep -P "$owner"); do
            if ((process != self)); then kill -KILL "$process"; fi
        done
    ) >>"$harbour_log" 2>&1 </dev/null &
    harbour_watch=$!
}

harbour_watch_stop() {
    [[ -n $harbour_watch ]] || return 0
    kill -TERM "$harbour_watch" 2>/dev/null || true
    wait "$harbour_watch" 2>/dev/null || true
    harbour_watch=
}

# harbour_run within a limit: harbour_run_within SECONDS PATTERN COMMAND [ARGUMENT ...]
harbour_run_within() {
    local status=0
    harbour_watch_start "$1" "$2"
    harbour_run "${@:3}" || status=$?
    harbour_watch_stop
    return $status
}

harbour_start_ticker() {
    [[ -t 1 ]] || return 0
    harbour_stop_ticker
    (
        trap 'exit 0' TERM
        while sleep 1; do
            printf '\r\033[K  %s ... %.60s' "$harbour_step_name" "$(tail -n 1 "$harbour_log" | tr -dc '[:print:]')"
        done
    ) &
    harbour_ticker=$!
}

harbour_stop_ticker() {
    [[ -n $harbour_ticker ]] || return 0
    kill "$harbour_ticker" 2>/dev/null || true
    wait "$harbour_ticker" 2>/dev/null || true
    harbour_ticker=
}

# Runs a command with the rights of root. Without them: says which command to run.
harbour_as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        if [[ ${CI:-} == true || ! -t 0 ]]; then sudo -n "$@"; else sudo "$@"; fi
    else
        return 126
    fi
}

# Whether harbour_as_root can work. Asks for the password now, not in the middle of a step.
harbour_can_be_root() {
    ((EUID == 0)) && return 0
    command -v sudo >/dev/null || return 1
    if [[ ${CI:-} == true || ! -t 0 ]]; then sudo -n true 2>/dev/null; else sudo -v; fi
}

# What is done at the program's end, however it comes to it: harbour_at_end FUNCTION. Who came last is done first. The
# program keeps its own status: a command that fails in here would become it, as "set -e" holds in a trap too.
harbour_at_end() { harbour_endings=("$1" "${harbour_endings[@]}"); }

harbour_end() {
    local status=$? ending
    set +e
    for ending in "${harbour_endings[@]}"; do "$ending"; done
    exit "$status"
}

harbour_endings=(harbour_stop_ticker harbour_watch_stop)
trap harbour_end EXIT
