# SPDX-License-Identifier: MIT
# The lab as a container; docs/containers.md says how to use it. Each step is a script of its own (containers/), so that
# tests/containers can take the same steps in a bare Debian where there is no Docker.

# In full, since podman would ask which registry is meant.
FROM docker.io/library/debian:12-slim AS system
COPY containers/system /opt/containers/system
RUN ["/opt/containers/system"]

# Fetches and makes everything; what only that needs stays behind in this stage.
FROM system AS made
USER learner
ENV HOME=/home/learner
WORKDIR /home/learner/kmodlab
COPY --chown=learner:learner . /home/learner/kmodlab
RUN ["/home/learner/kmodlab/containers/user"]

FROM system
COPY --from=made --chown=learner:learner /home/learner /home/learner
USER learner
WORKDIR /home/learner/kmodlab
# The last two let any other Jupyter server than that of `lab start` find kmodlab, as on Binder.
ENV HOME=/home/learner \
    PATH=/home/learner/.local/bin:/home/learner/.local/python/bin:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    KMODLAB_DATA=/home/learner/kept/data \
    PYTHONPATH=/home/learner/kmodlab \
    JUPYTER_PATH=/home/learner/kmodlab/kmodlab/jupyter
EXPOSE 8888
# An init, since the first process of a container must bury those whose parents have died.
ENTRYPOINT ["tini", "--"]
CMD ["kmodlab", "start", "--no-browser", "--ip", "0.0.0.0", "--port", "8888", "/home/learner/kept/course"]
