# The Python environment of clusters, under $HARBOUR_DATA/runtime, and Spark's AppCDS archive in it.
# shellcheck shell=bash

harbour_runtime_source=$HARBOUR_ROOT/Libraries/Runtime
harbour_runtime_lock=$harbour_runtime_source/requirements.lock
# One name for whoever starts clusters, whatever the versions: $HARBOUR_DATA/runtime/current/bin/python
harbour_runtime_home=$HARBOUR_DATA/runtime

# The newest python3 of 3.11 or more that can make virtual environments.
harbour_find_python() {
    local name
    for name in ${HARBOUR_PYTHON:-} /usr/bin/python3.1{3,2,1} /usr/bin/python3 python3; do
        name=$(command -v "$name" 2>/dev/null) || continue
        if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

harbour_runtime_folder() {
    local version hash
    version=$("$1" -c 'import platform; print(platform.machine(), ".".join(platform.python_version_tuple()[:2]))')
    hash=$({ cat "$harbour_runtime_lock" && echo "$version"; } | sha256sum)
    printf '%s/%s\n' "$harbour_runtime_home" "${hash:0:16}"
}

harbour_make_runtime() {
    local python folder
    python=$(harbour_find_python) ||
        harbour_fail "No Python 3.11 or newer with its venv module was found. Run deploy/setup --only packages first."
    folder=$(harbour_runtime_folder "$python")
    mkdir -p "$harbour_runtime_home"
    exec 9>"$harbour_runtime_home/.lock"
    if ! flock -n 9; then
        printf '\n  another set-up is at work; waiting for it\n'
        flock 9
    fi
    if [[ -x $folder/bin/python ]]; then
        harbour_say "all there"
    else
        harbour_build_environment "$python" "$folder"
        harbour_say "$(du -sm "$folder" | cut -f1) MB"
    fi
    harbour_link_runtime "$folder"
}

# Built aside and renamed when complete: a kill in the middle leaves nothing that looks finished.
harbour_build_environment() {
    local python=$1 folder=$2
    local work=$harbour_runtime_home/.building-$(basename "$folder")
    rm -rf "$harbour_runtime_home"/.building-*
    local room
    room=$(df -Pm "$harbour_runtime_home" | awk 'NR == 2 { print $4 }')
    ((room > 3000)) || harbour_fail "There are $room MB free below $HARBOUR_DATA, and the Python environment needs" \
        "3000 while it is made. Make room, or set HARBOUR_DATA to another disk."
    harbour_run "$python" -m venv "$work" ||
        harbour_fail "Python's virtual environment could not be made with $python. Is the package python3-venv whole?"
    harbour_run "$work/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --require-hashes -r "$harbour_runtime_lock" ||
        harbour_fail "The Python packages could not be installed. Check that PyPI can be reached (pip's settings are" \
            "respected) and run deploy/setup again: what was fetched is kept."
    # Programs in bin name the folder they were made in.
    grep -lIr "$work" "$work/bin" "$work/pyvenv.cfg" | xargs -r sed -i "s|$work|$folder|g"
    rm -rf "$folder"
    mv "$work" "$folder"
}

# Our own package is copied in when it changed, apart from the others: that needs no installation.
harbour_link_runtime() {
    local folder=$1 site
    site=$(echo "$folder"/lib/python3.*/site-packages)
    if ! diff -rq -x __pycache__ "$harbour_runtime_source/harbour_runtime" "$site/harbour_runtime" >/dev/null 2>&1; then
        rm -rf "$site/.harbour_runtime.new" "$site/.harbour_runtime.old"
        cp -r "$harbour_runtime_source/harbour_runtime" "$site/.harbour_runtime.new"
        rm -rf "$site/.harbour_runtime.new/__pycache__"
        if [[ -e $site/harbour_runtime ]]; then mv "$site/harbour_runtime" "$site/.harbour_runtime.old"; fi
        mv "$site/.harbour_runtime.new" "$site/harbour_runtime"
        rm -rf "$site/.harbour_runtime.old"
    fi
    if [[ $(readlink "$harbour_runtime_home/current") != "$(basename "$folder")" ]]; then
        ln -sfn "$(basename "$folder")" "$harbour_runtime_home/.current.new"
        mv -T "$harbour_runtime_home/.current.new" "$harbour_runtime_home/current"
    fi
    harbour_sweep_runtimes "$folder"
}

# Environments of earlier versions take 1 GB each; those that no process runs from go.
harbour_sweep_runtimes() {
    local old
    for old in "$harbour_runtime_home"/[0-9a-f]*[0-9a-f]; do
        if [[ $old != "$1" && -d $old ]] && ! grep -qsF "$old" /proc/[0-9]*/maps /proc/[0-9]*/cmdline; then
            rm -rf "$old"
        fi
    done
}

# The archive fits one Java and one set of jars: made again when either changed.
harbour_make_archive() {
    local archive=$harbour_runtime_home/current/spark.jsa
    local python=$harbour_runtime_home/current/bin/python
    if "$python" -m harbour_runtime.archive --output "$archive" --check >>"$harbour_log" 2>&1; then
        harbour_say "all there"
        return
    fi
    if harbour_run "$python" -m harbour_runtime.archive --output "$archive"; then
        harbour_say "$(($(stat -c %s "$archive") / 1048576)) MB"
    elif command -v java >/dev/null; then
        # Clusters work without it.
        harbour_say "could not be made; clusters start slower. The log is $harbour_log"
    else
        harbour_fail "Java is missing, so Spark cannot run. Run deploy/setup --only packages."
    fi
}
