# The Swift toolchain: found, or fetched from its official site and checked against its published keys.
# shellcheck shell=bash

HARBOUR_SWIFT_VERSION=6.3.1
harbour_swift_site=${HARBOUR_SWIFT_SITE:-https://download.swift.org}
harbour_swift_keys=${HARBOUR_SWIFT_KEYS:-https://www.swift.org/keys/all-keys.asc}
# "Swift 6.x Release Signing Key": a key that was only downloaded proves nothing.
harbour_swift_signer=${HARBOUR_SWIFT_SIGNER:-52BB7E3DE28A71BE22EC05FFEF80A866B47A981F}
harbour_swift_mend="Put Swift $HARBOUR_SWIFT_VERSION for Debian 12 in place by hand and name its folder in\
 HARBOUR_SWIFT"

harbour_swift_candidates() {
    [[ ${HARBOUR_PRETEND_NO_SWIFT:-} != 1 ]] || return 0
    local candidate
    for candidate in ${HARBOUR_SWIFT:+"$HARBOUR_SWIFT" "$HARBOUR_SWIFT/usr/bin/swift" "$HARBOUR_SWIFT/bin/swift"} \
        "$(command -v swift || true)" /opt/swift/usr/bin/swift \
        "$HARBOUR_DATA/toolchain/swift-$HARBOUR_SWIFT_VERSION/usr/bin/swift"; do
        if [[ -n $candidate && -f $candidate && -x $candidate ]]; then printf '%s\n' "$candidate"; fi
    done
}

# Prints the path of a usable `swift`, or fails. HARBOUR_SWIFT may name the program or a toolchain's folder.
harbour_find_swift() {
    local candidate
    while read -r candidate; do
        if harbour_swift_fits "$candidate"; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done < <(harbour_swift_candidates)
    return 1
}

# Before anything is changed: a machine without Swift, and without a way to it, is told so first.
harbour_expect_swift() {
    # One that does not run yet may only miss packages.
    [[ -z $(harbour_swift_candidates) ]] || return 0
    local host port=443 reached=1
    if command -v curl >/dev/null; then
        curl -fsSIL --connect-timeout 10 --max-time 30 "$harbour_swift_site/" >/dev/null 2>&1 ||
            [[ $? == 22 ]] || reached= # 22: it answered, though not with a page.
    else
        host=${harbour_swift_site#*://}
        host=${host%%/*}
        [[ $host != *:* ]] || { port=${host##*:}; host=${host%:*}; }
        timeout 10 bash -c ': <"/dev/tcp/$1/$2"' - "$host" "$port" 2>/dev/null || reached=
    fi
    [[ -n $reached ]] || harbour_fail \
        "Swift $HARBOUR_SWIFT_VERSION is not installed and $harbour_swift_site cannot be reached. $harbour_swift_mend."
}

harbour_swift_fits() {
    local version
    version=$("$1" --version 2>/dev/null) || return 1
    [[ $version =~ Swift\ version\ 6\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 3))
}

harbour_install_swift() {
    local swift
    if swift=$(harbour_find_swift); then
        harbour_say "$swift"
        return
    fi
    local suffix
    case $(uname -m) in
        x86_64) suffix= ;;
        aarch64) suffix=-aarch64 ;;
        *) harbour_fail "There is no Swift for the processor $(uname -m). Build one, and name it in HARBOUR_SWIFT." ;;
    esac
    local name=swift-$HARBOUR_SWIFT_VERSION-RELEASE
    local url=$harbour_swift_site/swift-$HARBOUR_SWIFT_VERSION-release/debian12$suffix
    url+=/$name/$name-debian12$suffix.tar.gz
    local parent=$HARBOUR_DATA/toolchain
    local target=$parent/swift-$HARBOUR_SWIFT_VERSION work=$parent/.building
    rm -rf "$work"
    mkdir -p "$work/toolchain" "$work/keys"
    chmod 700 "$work/keys"
    harbour_run curl -fsSL --retry 3 -C - -o "$parent/$name.tar.gz" "$url" ||
        harbour_fail "Swift could not be fetched from $url. Run deploy/setup again: it goes on where it stopped."
    harbour_run curl -fsSL --retry 3 -o "$work/signature" "$url.sig" ||
        harbour_fail "Swift's signature could not be fetched from $url.sig. Try again later."
    harbour_run curl -fsSL --retry 3 -o "$work/keys.asc" "$harbour_swift_keys" ||
        harbour_fail "Swift's public keys could not be fetched from $harbour_swift_keys. Try again later."
    if ! harbour_check_signature "$work" "$parent/$name.tar.gz"; then
        rm -f "$parent/$name.tar.gz"
        harbour_fail "The Swift that came from $url is not signed by Swift's release key, so it was thrown away." \
            "$harbour_swift_mend."
    fi
    harbour_run tar -xzf "$parent/$name.tar.gz" -C "$work/toolchain" --strip-components=1 ||
        harbour_fail "Swift could not be unpacked into $parent. Is there room on the disk (3 GB)?"
    rm -rf "$target"
    mv "$work/toolchain" "$target"
    rm -rf "$work" "$parent/$name.tar.gz"
    harbour_swift_fits "$target/usr/bin/swift" ||
        harbour_fail "The Swift in $target does not run. Does the package step work (deploy/setup --only packages)?"
    harbour_say "$target/usr/bin/swift"
}

# Whether the release key made the signature. A key that expired since then still made it; a revoked one does not count.
harbour_check_signature() {
    local work=$1 file=$2 status
    harbour_run gpg --batch --homedir "$work/keys" --import "$work/keys.asc" || return 1
    # VALIDSIG ends with the fingerprint of the primary key.
    status=$(gpg --batch --homedir "$work/keys" --status-fd 1 --verify "$work/signature" "$file" \
        2>>"$harbour_log") || true
    printf '%s\n' "$status" >>"$harbour_log"
    ! grep -qE '^\[GNUPG:\] (BADSIG|ERRSIG|REVKEYSIG)' <<<"$status" &&
        grep -qE "^\[GNUPG:\] VALIDSIG .*\b$harbour_swift_signer( |$)" <<<"$status"
}
