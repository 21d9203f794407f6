# syntax=docker/dockerfile:1
ARG RUST_VERSION=1.95.0

FROM rust:${RUST_VERSION}-bookworm AS build
ARG RUST_VERSION
# The toolchain of this image, whatever components rust-toolchain.toml asks for.
ENV RUSTUP_TOOLCHAIN=${RUST_VERSION}
WORKDIR /src
COPY . .
# One cache per architecture: two may build at once.
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=target-${TARGETARCH},target=/src/target,sharing=locked \
    cargo build --release --locked --bin handover-gateway \
    && cp target/release/handover-gateway /handover-gateway \
    && mkdir /data

FROM gcr.io/distroless/cc-debian13:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="handover-gateway" \
      org.opencontainers.image.description="Hands a chat bot's conversation over to a human agent in 8x8 Contact Center and brings every answer back." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /handover-gateway /handover-gateway
COPY --from=build --chown=65532:65532 /data /data
# By number, so that Kubernetes can tell it is not root. Nothing is written outside /data and /tmp.
USER 65532:65532
ENV HANDOVER__STORE__URL=sqlite:///data/handover.db
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# It reads the environment only: a file that moves admin.listen is not known to it. Set HANDOVER__ADMIN__LISTEN then, for
# both, instead of the file's key.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/handover-gateway", "healthcheck"]
ENTRYPOINT ["/handover-gateway"]
CMD ["serve"]
