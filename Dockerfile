# sagad and sagactl in a small image, and the demo participants in three languages.
#   docker build --target sagad .        (the default: the last stage)
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential cmake ninja-build pkg-config python3 \
        libpq-dev librdkafka-dev libmicrohttpd-dev libjansson-dev libsodium-dev libcurl4-openssl-dev
WORKDIR /src
COPY . .
RUN cmake --preset release && cmake --build build/release && \
    cmake --install build/release --prefix /out --strip

FROM python:3.12-slim-bookworm AS participants-python
WORKDIR /participants
COPY participants/python/requirements.txt python/
RUN pip install --no-cache-dir -r python/requirements.txt
COPY participants .
USER 65532:65532
ENTRYPOINT ["python3", "python/shop.py"]
CMD ["payments"]

FROM node:20-bookworm-slim AS participants-node
WORKDIR /participants
COPY participants/node/package.json participants/node/package-lock.json node/
RUN npm ci --prefix node --omit=dev
COPY participants .
USER 65532:65532
ENTRYPOINT ["node", "node/shop.js"]
CMD ["inventory"]

FROM debian:12-slim AS sagad
RUN apt-get update && apt-get install -y --no-install-recommends \
        libpq5 librdkafka1 libmicrohttpd12 libjansson4 libsodium23 libcurl4 ca-certificates && \
    rm -rf /var/lib/apt/lists/* && \
    install -d -o 65532 -g 65532 /keys
COPY --from=build /out/bin/ /usr/local/bin/
COPY participants/demo/*.saga.json /definitions/
USER 65532:65532
EXPOSE 8080 9090
# Asks /readyz of the probe listener itself: no shell, no curl.
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s --retries=3 \
    CMD ["/usr/local/bin/sagad", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/sagad"]
CMD ["serve"]
