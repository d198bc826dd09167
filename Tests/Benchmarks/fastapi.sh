#!/bin/sh
# Compares a service's endpoint with FastAPI + uvicorn (+ asyncpg) doing the same, side by side on this machine.
#
#   Tests/Benchmarks/fastapi.sh [SECONDS]
#
# Needs h2load, Python 3.11, PostgreSQL 15 and PyPI. Each server gets the first processor, the load generator the second,
# PostgreSQL both. The two are alternated and the medians compared, by processor time a request: it does not depend on what
# else the machine is doing, as requests a second do, which are printed too. h2load speaks HTTP/2 to ours, as our services
# do, and HTTP/1.1 to uvicorn, which has nothing else. Thresholds: 40 times without a database, 10 times with one read.
set -eu
seconds=${1:-5}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
work=$(mktemp -d /tmp/harbour-fastapi-XXXXXX)
token=benchmark-token
ours= peer= postgres=

finish() {
    for pid in $ours $peer; do kill "$pid" 2>/dev/null || true; done
    [ -z "$postgres" ] || as_postgres "$postgres/pg_ctl" -s -D "$work/data" -m immediate stop || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

as_postgres() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; else "$@"; fi; }

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
taskset -c 0 "$benchmarks" service --listen 127.0.0.1:0 --service-token "$token" --address-file "$work/address" \
    --benchmark-database "host=$work user=postgres dbname=postgres" --request-log off --log-level warning &
ours=$!
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
BENCHMARK_TOKEN=$token BENCHMARK_DATABASE="postgresql://postgres@/postgres?host=$work" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$here \
    taskset -c 0 "$work/python/bin/uvicorn" fastapi_peer:app --port "$port" --no-access-log --log-level warning &
peer=$!
until [ -s "$work/address" ]; do kill -0 $ours; sleep 0.1; done
address=$(cat "$work/address")
until curl -sf -o /dev/null -H "authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/jobs/1"; do kill -0 $peer; sleep 0.2; done

# One run: prints requests per second and microseconds of the server's processor time a request.
load() { # process, protocol flags, url
    before=$(ticks "$1")
    taskset -c 1 h2load $2 -D "$seconds" --warm-up-time 1 -H "authorization: Bearer $token" "$3" >"$work/h2load.txt"
    after=$(ticks "$1")
    # The warm-up costs processor time and is not counted as requests.
    awk -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" '
        /^finished in/ { rate = $4 }
        /^requests:/ { if ($10 + 0 > 0 || $12 + 0 > 0) print "failed: " $0 > "/dev/stderr" }
        END { print rate, ticks / hz / (rate * (seconds + 1)) * 1e6 }' "$work/h2load.txt"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
column() { printf '%s\n' "$2" | awk -v n="$1" 'NF { print $n }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

compare() { # title, path, threshold
    a= b=
    for round in 1 2 3; do
        a="$a
$(load $ours '-c 4 -m 16' "http://$address$2")"
        b="$b
$(load $peer '--h1 -c 32 -m 1' "http://127.0.0.1:$port$2")"
    done
    printf '%s: ours %.0f requests/s at %.1f us each, FastAPI %.0f requests/s at %.0f us each\n' "$1" \
        "$(column 1 "$a")" "$(column 2 "$a")" "$(column 1 "$b")" "$(column 2 "$b")"
    awk -v a="$(column 2 "$a")" -v b="$(column 2 "$b")" -v wanted="$3" \
        'BEGIN { printf "  %.1f times less processor time (wanted: %s)\n", b / a, wanted; exit !(b / a >= wanted) }' || status=1
}

status=0
curl -s --http2-prior-knowledge -H "authorization: Bearer $token" "http://$address/api/v1/jobs/1" >"$work/ours.json"
curl -s -H "authorization: Bearer $token" "http://127.0.0.1:$port/api/v1/jobs/1" >"$work/peer.json"
python3 -c 'import json, sys; a, b = (json.load(open(p)) for p in sys.argv[1:]); assert a == b, (a, b)' \
    "$work/ours.json" "$work/peer.json"
compare "without a database" /api/v1/jobs/1 40
compare "one read by key" /api/v1/runs/4711 10
exit $status
