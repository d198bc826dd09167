# Building and installing our own programs. Sourced by the programs in deploy/.
# shellcheck shell=bash

harbour_programs=(harbour workspace scheduler cluster monitoring driver)

# Builds all programs in release mode with the standard library inside, so that they run without the toolchain.
harbour_build() {
    local swift arguments=(-c release --static-swift-stdlib --package-path "$HARBOUR_ROOT")
    swift=$(harbour_find_swift) || harbour_fail "Swift is not there. Run deploy/setup."
    local program wanted=
    for program in "${harbour_programs[@]}"; do wanted+=${wanted:+,}$program; done
    # Tests and benchmarks are left out: they are not needed to run.
    harbour_run env "HARBOUR_TARGETS=$wanted" "$swift" build "${arguments[@]}" ||
        harbour_fail "The programs could not be built. If memory ran out, close other programs; then run this again."
    harbour_built=$(env "HARBOUR_TARGETS=$wanted" "$swift" build "${arguments[@]}" --show-bin-path 2>/dev/null)
}

# Puts programs and their files under the data folder. A program that runs keeps its old file until it is restarted.
harbour_install() {
    local bin=$HARBOUR_DATA/bin share=$HARBOUR_DATA/share/harbour program changed=0
    mkdir -p "$bin" "$share"
    for program in "${harbour_programs[@]}"; do
        if ! cmp -s "$harbour_built/$program" "$bin/$program"; then
            cp "$harbour_built/$program" "$bin/.$program.new"
            mv -f "$bin/.$program.new" "$bin/$program"
            changed=$((changed + 1))
        fi
    done
    local folder source
    for folder in "samples:$HARBOUR_ROOT/deploy/samples" "sql:$HARBOUR_ROOT/schemas/sql" "page:$harbour_page_built"; do
        source=${folder#*:}
        folder=$share/${folder%%:*}
        if ! diff -rq "$source" "$folder" >/dev/null 2>&1; then
            rm -rf "$folder.new"
            cp -r "$source" "$folder.new"
            rm -rf "$folder"
            mv "$folder.new" "$folder"
            changed=$((changed + 1))
        fi
    done
    harbour_changed=$changed
    if ((changed)); then harbour_say "$changed changed"; else harbour_say "nothing new"; fi
}
