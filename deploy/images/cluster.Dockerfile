# The image of clusters: the runtime with our own Python package, Spark's archive and the driver. Built by
# deploy/images/build.
ARG BASE
FROM ${BASE}
COPY harbour_runtime /tmp/harbour_runtime
# The nodes' processes run as whatever number the service has, which needs a name: their first process writes it down.
RUN cp -r /tmp/harbour_runtime /opt/harbour/runtime/lib/python3*/site-packages/ && rm -rf /tmp/harbour_runtime \
    && /opt/harbour/runtime/bin/python -m compileall -q /opt/harbour/runtime/lib/python3*/site-packages/harbour_runtime \
    && /opt/harbour/runtime/bin/python -m harbour_runtime.archive --output /opt/harbour/runtime/spark.jsa \
    && chmod 0666 /etc/passwd
COPY driver /opt/harbour/bin/driver
COPY samples /opt/harbour/share/harbour/samples
ENV PATH=/opt/harbour/runtime/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
CMD ["/bin/bash"]
