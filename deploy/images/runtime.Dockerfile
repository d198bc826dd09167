# Debian 12 with Java 17 and the clusters' Python at its pinned versions. Built by deploy/images/build.
ARG BASE
FROM ${BASE}
ARG MIRROR
ARG DEBIAN_FRONTEND=noninteractive
# What the driver is linked to, and what notebooks' shell cells expect.
COPY authorities.pem /etc/ssl/build-authorities.pem
RUN rm -rf /etc/apt/sources.list.d && echo "deb ${MIRROR} bookworm main" >/etc/apt/sources.list \
    && mkdir -p /usr/share/man/man1 \
    && apt-get -o Acquire::https::CAInfo=/etc/ssl/build-authorities.pem -o APT::Update::Error-Mode=any \
        update -qq \
    && apt-get -o Acquire::https::CAInfo=/etc/ssl/build-authorities.pem install -qq -y --no-install-recommends \
        ca-certificates curl libjemalloc2 libnghttp2-14 libpq5 libssl3 libstdc++6 libzmq5 \
        openjdk-17-jre-headless procps python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*
ARG PIP_INDEX_URL
COPY requirements.lock /tmp/requirements.lock
RUN python3 -m venv /opt/harbour/runtime \
    && PIP_CERT=/etc/ssl/build-authorities.pem /opt/harbour/runtime/bin/python -m pip install --no-cache-dir \
        --disable-pip-version-check --no-input --progress-bar off --require-hashes -r /tmp/requirements.lock \
    && rm -rf /tmp/requirements.lock /etc/ssl/build-authorities.pem
