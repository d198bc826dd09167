#!/bin/bash
# Lets libFuzzer at programs that are built already: fuzz.sh FOLDER SECONDS NAME ...
#
# FOLDER is the scratch folder of their build; what was found interesting is kept there for the next time. What once
# failed is tried first, from Tests/Crashes/<Name>Fuzzer, and what fails now is put there: check it in with the repair.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 seconds=$2
shift 2

fuzz() {
    local name=$1 found=Tests/Crashes/$1Fuzzer corpus=$folder/corpus/$1 status=0
    mkdir -p "$found" "$corpus"
    "$folder/debug/${name}Fuzzer" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=0 -verbosity=0 -artifact_prefix="$found/" "$corpus" "$found" || status=$?
    if ((status == 0)); then
        rmdir --ignore-fail-on-non-empty "$found"
        echo "$name: nothing found"
    else
        echo "$name failed with status $status; the input is in $found."
    fi
    return "$status"
}

# As many at a time as there are processors.
pids=()
for name in "$@"; do
    while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
    fuzz "$name" &
    pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
