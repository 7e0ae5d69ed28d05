# syntax=docker/dockerfile:1
# One image for every role: `fallow serve capacity`, `fallow serve console`, and the command line.

FROM rust:1.95.0-slim-bookworm AS build
# The image's own toolchain is the one that rust-toolchain.toml names; naming it here keeps rustup from fetching
# clippy and rustfmt, which a build does not need.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package fallow --bin fallow \
    && install -D --mode=0755 target/dist/fallow /out/fallow

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 fallow \
    && useradd --system --uid 10001 --gid fallow --no-create-home --shell /usr/sbin/nologin fallow \
    # Where the archive of a region is mounted; a new volume takes its owner from here.
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/fallow/archive
COPY --from=build /out/fallow /usr/local/bin/fallow
COPY regions /usr/share/fallow/regions
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/fallow/
LABEL org.opencontainers.image.title="Fallow" \
      org.opencontainers.image.description="Mutual aid between trusts: free capacity, fairly matched" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# The number and not the name, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 7430 7431 7432 7433 7434 7435
ENTRYPOINT ["fallow"]
CMD ["--help"]
