#!/bin/sh
# Compares a service's endpoint with FastAPI + uvicorn (+ asyncpg) doing the same, side by side on this machine.
#
#   Tests/Benchmarks/fastapi.sh [SECONDS] [ROUNDS]
#
# Needs h2load, Python 3.11, PostgreSQL 15 and PyPI. Wanted are 40 times the requests a second without a database, and 10
# times with one read. README.md says how it is measured, and what to look at when the machine has other work to do.
set -eu
seconds=${1:-5}
rounds=${2:-5}
# As root, all parts alike go before the other programs of the machine.
first=
if nice -n -10 true 2>/dev/null && [ "$(nice -n -10 nice)" -lt 0 ]; then first='nice -n -10'; fi
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
work=$(mktemp -d /tmp/harbour-fastapi-XXXXXX)
token=benchmark-token
ours= peer= postgres=

finish() {
    for pid in $ours $peer; do kill "$pid" 2>/dev/null || true; done
    # uvicorn would complain of the database's end.
    for pid in $ours $peer; do wait "$pid" 2>/dev/null || true; done
    [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" -s -D "$work/data" -m immediate stop || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

as_postgres() { if [ "$(id -u)" = 0 ]; then $first setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

echo "Setting up Python and PostgreSQL in $work ..."
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check 'fastapi' 'uvicorn[standard]' asyncpg
postgres=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$work"; fi
chmod 755 "$work"
as_postgres "$postgres/initdb" -A trust -U postgres -D "$work/data" >/dev/null
as_postgres "$postgres/pg_ctl" -s -w -D "$work/data" -l "$work/postgres.log" \
    -o "-c listen_addresses= -c unix_socket_directories=$work -c fsync=off" start
psql="$postgres/psql -q -h $work -U postgres postgres"
$psql -c "CREATE TABLE benchmark_runs (run_id bigint PRIMARY KEY, name text NOT NULL, state text NOT NULL, created bigint NOT NULL)" \
    -c "INSERT INTO benchmark_runs SELECT n, 'run ' || n, 'TERMINATED', 1763600000000 + n FROM generate_series(1, 10000) n" \
    -c "VACUUM ANALYZE benchmark_runs"

benchmarks=$root/.build/release/benchmarks
[ -x "$benchmarks" ] || (cd "$root" && HARBOUR_TARGETS=benchmarks swift build -c release --product benchmarks --static-swift-stdlib)
$first taskset -c 0 "$benchmarks" service --listen 127.0.0.1:0 --service-token "$token" --address-file "$work/address" \
    --benchmark-database "host=$work user=postgres dbname=postgres" --request-log off --log-level warning &
ours=$!
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
BENCHMARK_TOKEN=$token BENCHMARK_DATABASE="postgresql://postgres@/postgres?host=$work" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here \
    $first taskset -c 0 "$work/python/bin/uvicorn" fastapi_peer:app --port "$port" --no-access-log --log-level warning &
peer=$!
until [ -s "$work/address" ]; do kill -0 $ours; sleep 0.1; done
address=$(cat "$work/address")
until curl -sf -o /dev/null -H "authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/jobs/1"; do kill -0 $peer; sleep 0.2; done

# One run: prints requests a second, microseconds of the server's processor time a request, and the share of both
# processors that others than server, load generator and PostgreSQL took.
load() { # process, protocol flags, url
    before=$(ticks "$1") machine=$(busy) database=$(postgres_ticks)
    $first taskset -c 1 h2load -t 1 $2 -D "$seconds" --warm-up-time 1 -H "authorization: Bearer $token" "$3" \
        >"$work/h2load.txt"
    times >"$work/times.txt"
    after=$(ticks "$1")
    # The warm-up costs processor time and is not counted as requests.
    awk -v own=$((after - before)) -v all="$(($(busy) - machine))" -v db="$(($(postgres_ticks) - database))" \
        -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" '
        FILENAME ~ /times.txt/ && FNR == 2 { split($0, part, /[ms ]+/); generator = (part[2] + part[4]) * hz }
        /^finished in/ { rate = $4 }
        /^requests:/ { if ($10 + 0 > 0 || $12 + 0 > 0) print "failed: " $0 > "/dev/stderr" }
        END {
            span = seconds + 1
            print rate, own / hz / (rate * span) * 1e6, (all - own - db - generator) / hz / span / 2 * 100
        }' "$work/times.txt" "$work/h2load.txt"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
postgres_ticks() { # the postmaster and its children
    ps -o pid= --ppid "$(head -n 1 "$work/data/postmaster.pid")" | while read -r pid; do
        awk '{ print $14 + $15 }' "/proc/$pid/stat" 2>/dev/null
    done | awk '{ sum += $1 } END { print sum + 0 }'
}
busy() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
column() { printf '%s\n' "$2" | awk -v n="$1" 'NF { print $n }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

compare() { # title, path, threshold
    a= b=
    for round in $(seq "$rounds"); do
        a="$a
$(load $ours '-c 8 -m 64' "http://$address$2")"
        b="$b
$(load $peer '--h1 -c 32 -m 1' "http://127.0.0.1:$port$2")"
    done
    printf '%s: ours %.0f requests/s at %.1f us each, FastAPI %.0f requests/s at %.0f us each\n' "$1" \
        "$(column 1 "$a")" "$(column 2 "$a")" "$(column 1 "$b")" "$(column 2 "$b")"
    awk -v ar="$(column 1 "$a")" -v br="$(column 1 "$b")" -v a="$(column 2 "$a")" -v b="$(column 2 "$b")" -v wanted="$3" \
        'BEGIN {
            printf "  %.1f times the requests a second (wanted: %s), %.1f times less processor time\n", ar / br, wanted, b / a
            exit !(ar / br >= wanted)
        }' || status=1
    printf '  others took %.0f %% of the machine beside ours and %.0f %% beside FastAPI\n' \
        "$(column 3 "$a")" "$(column 3 "$b")"
}

status=0
curl -s --http2-prior-knowledge -H "authorization: Bearer $token" "http://$address/api/v1/jobs/1" >"$work/ours.json"
curl -s -H "authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/jobs/1" >"$work/peer.json"
python3 -c 'import json, sys; a, b = (json.load(open(p)) for p in sys.argv[1:]); assert a == b, (a, b)' \
    "$work/ours.json" "$work/peer.json"
compare "without a database" /api/v1/jobs/1 40
compare "one read by key" /api/v1/runs/4711 10
exit $status
