# Debian packages: installs those of packages.txt that are missing, and nothing else.
# shellcheck shell=bash

harbour_package_list=$HARBOUR_ROOT/deploy/lib/packages.txt

harbour_wanted_packages() { awk '!/^#/ && NF { print $1 }' "$harbour_package_list"; }

# The packages of the list that are not installed, one a line. One call of dpkg-query for all.
harbour_missing_packages() {
    local wanted
    wanted=$(harbour_wanted_packages)
    # shellcheck disable=SC2086 # One argument per package.
    comm -23 <(sort -u <<<"$wanted") \
        <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
            awk '$2 == "installed" { print $1 }' | sort -u)
}

harbour_install_packages() {
    command -v dpkg-query >/dev/null ||
        harbour_fail "This is not a Debian system, and set-up knows only Debian's packages. Install those of" \
            "deploy/lib/packages.txt by hand, then run deploy/setup --only runtime."
    local missing
    missing=$(harbour_missing_packages | tr '\n' ' ')
    if [[ -z ${missing// /} ]]; then
        harbour_say "all there"
        return
    fi
    local system
    system=$(. /etc/os-release 2>/dev/null && printf '%s %s' "${ID:-}" "${VERSION_ID:-}") || true
    [[ $system == "debian 12" ]] ||
        harbour_fail "Set-up knows the packages of Debian 12, and this is ${system:-another system}. Install what" \
            "matches these by hand, then run deploy/setup --only runtime: $missing"
    harbour_can_be_root ||
        harbour_fail "Packages are missing and you are not root. Run this, then deploy/setup again:" \
            "apt-get install --no-install-recommends $missing"
    [[ " $missing" != *" postgresql-15 "* ]] || harbour_keep_postgres_quiet
    harbour_apt update ||
        harbour_fail "Debian's package lists could not be fetched. Check the network and /etc/apt/sources.list."
    # shellcheck disable=SC2086 # One argument per package.
    harbour_apt install --no-install-recommends $missing ||
        harbour_fail "The packages $missing could not be installed. Look at the log, mend it with apt-get -f install," \
            "and run deploy/setup again."
    missing=$(harbour_missing_packages | tr '\n' ' ')
    [[ -z ${missing// /} ]] || harbour_fail "apt-get installed everything but: $missing. Are they in your sources.list?"
    harbour_say "installed"
}

harbour_apt() {
    harbour_run harbour_as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
        ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
        apt-get -q -y -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 "$@"
}

# We run a PostgreSQL of our own; Debian's package would make and start a second one for the whole system.
harbour_keep_postgres_quiet() {
    local folder=/etc/postgresql-common/createcluster.d
    # A file of the user's that decides already stays as it is.
    if ! grep -qsr '^[[:space:]]*create_main_cluster' /etc/postgresql-common/; then
        harbour_as_root mkdir -p "$folder"
        harbour_as_root tee "$folder/dataharbour.conf" >/dev/null <<<"create_main_cluster = false"
    fi
}
