# The image of the services: one for all of them, each container starts another program. Built by deploy/images/build.
ARG BASE
FROM ${BASE}
ARG MIRROR
ARG DEBIAN_FRONTEND=noninteractive
COPY authorities.pem /etc/ssl/build-authorities.pem
# What the programs are linked to, and curl for health checks.
RUN rm -rf /etc/apt/sources.list.d && echo "deb ${MIRROR} bookworm main" >/etc/apt/sources.list \
    && apt-get -o Acquire::https::CAInfo=/etc/ssl/build-authorities.pem -o APT::Update::Error-Mode=any \
        update -qq \
    && apt-get -o Acquire::https::CAInfo=/etc/ssl/build-authorities.pem install -qq -y --no-install-recommends \
        ca-certificates curl libarchive13 libcurl4 libjemalloc2 liblz4-1 libnghttp2-14 libpq5 libssl3 libstdc++6 \
        libyaml-0-2 libzmq5 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/* /etc/ssl/build-authorities.pem
COPY bin /opt/harbour/bin
COPY share /opt/harbour/share
RUN mkdir -p /var/lib/harbour
ENV PATH=/opt/harbour/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["harbour", "--help"]
