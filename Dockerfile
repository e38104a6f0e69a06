# What make image writes without a container engine, for those who have one:
#   docker build --build-arg VERSION=$(git describe --tags --always) -t kustiq .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=dev
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags image \
      -ldflags "-s -w -X github.com/kustiq/kustiq/internal/version.Version=$VERSION" -o /kustiq ./cmd/kustiq
RUN mkdir -m 1777 /scratch

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="Kustiq for Stripe" \
      org.opencontainers.image.description="Live churn-risk scores from a Stripe account's events" \
      org.opencontainers.image.source="https://github.com/kustiq/kustiq" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version=$VERSION
COPY --from=build /kustiq /kustiq
COPY --from=build /scratch /tmp
USER 65532:65532
ENTRYPOINT ["/kustiq"]
