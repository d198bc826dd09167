# The web page: built from its sources when they changed. Sourced by the programs in deploy/.
# shellcheck shell=bash

source "$HARBOUR_ROOT/deploy/lib/runtime.sh"

harbour_page_source=$HARBOUR_ROOT/Services/Workspace/Page

# What the build depends on: the sources, the contract and the versions of what builds.
harbour_page_hash() {
    {
        find "$harbour_page_source" -type f ! -path '*/generated/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        sha256sum "$HARBOUR_ROOT"/schemas/openapi/*.json
        dpkg-query -W -f '${Package} ${Version}\n' node-diff node-react node-react-dom esbuild libjs-pdf libjs-katex fonts-katex \
            2>/dev/null
    } | sed "s|$HARBOUR_ROOT||" | sha256sum | cut -c1-16
}

# Monaco, out of the wheel that the lock names, under $HARBOUR_DATA/parts. Made aside and renamed when complete.
harbour_fetch_monaco() {
    local folder=$HARBOUR_DATA/parts/monaco lock=$harbour_page_source/requirements.lock
    if cmp -s "$lock" "$folder/requirements.lock"; then return; fi
    local work=$folder.new python
    python=$(harbour_find_python) ||
        harbour_fail "No Python 3.11 or newer with its venv module was found. Run deploy/setup --only packages first."
    rm -rf "$work"
    mkdir -p "$work"
    harbour_run "$python" -m venv "$work/python" && harbour_run "$work/python/bin/pip" install -q --no-deps --no-input \
        --disable-pip-version-check --only-binary :all: --require-hashes --target "$work/wheel" -r "$lock" ||
        harbour_fail "The editor Monaco could not be fetched from PyPI. Check that it can be reached (pip's settings are" \
            "respected) and run this again."
    cp "$lock" "$work/wheel/monaco/monaco-editor/"
    rm -rf "$folder"
    mv "$work/wheel/monaco/monaco-editor" "$folder"
    rm -rf "$work"
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
    harbour_fetch_monaco
    mkdir -p "$HARBOUR_DATA/page"
    harbour_run env "HARBOUR_MONACO=$HARBOUR_DATA/parts/monaco" node "$harbour_page_source/build/build.mjs" "$work" "$@" ||
        harbour_fail "The web page could not be built."
    rm -rf "$folder"
    mv "$work" "$folder"
    find "$HARBOUR_DATA/page" -mindepth 1 -maxdepth 1 ! -path "$folder" -exec rm -rf {} +
    harbour_say "$(grep -oE '[0-9.]+ KiB compressed for the first view' "$harbour_log" | tail -n 1)"
}
