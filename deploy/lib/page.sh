# The web page: built from its sources when they changed. Sourced by the programs in deploy/.
# shellcheck shell=bash

harbour_page_source=$HARBOUR_ROOT/Services/Workspace/Page

# What the build depends on: the sources, the contract and the versions of what builds.
harbour_page_hash() {
    {
        find "$harbour_page_source" -type f ! -path '*/generated/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        sha256sum "$HARBOUR_ROOT"/schemas/openapi/*.json
        dpkg-query -W -f '${Package} ${Version}\n' node-react node-react-dom esbuild libjs-codemirror libjs-pdf 2>/dev/null
    } | sed "s|$HARBOUR_ROOT||" | sha256sum | cut -c1-16
}

# Builds into a folder named by the hash, which is there only when it is complete. Sets harbour_page_built.
harbour_build_page() {
    local folder
    folder=$HARBOUR_DATA/page/$(harbour_page_hash)
    harbour_page_built=$folder
    if [[ -e $folder/index.html && ${1:-} != --check ]]; then
        harbour_say "nothing new"
        return
    fi
    local work=$folder.new
    mkdir -p "$HARBOUR_DATA/page"
    harbour_run node "$harbour_page_source/build/build.mjs" "$work" "$@" ||
        harbour_fail "The web page could not be built."
    rm -rf "$folder"
    mv "$work" "$folder"
    find "$HARBOUR_DATA/page" -mindepth 1 -maxdepth 1 ! -path "$folder" -exec rm -rf {} +
    harbour_say "$(grep -oE '[0-9.]+ KiB compressed for the first view' "$harbour_log" | tail -n 1)"
}
