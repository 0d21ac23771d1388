# The Go of go.mod's toolchain, on the machine that builds: it compiles for all others.
FROM --platform=$BUILDPLATFORM golang:1.26.11 AS build
ENV CGO_ENABLED=0
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
ARG COMMIT=unknown
# As `make build` and the release do, so that the binary is the same to the byte.
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X awslogin.dev/operator/internal/version.release=$VERSION -X awslogin.dev/operator/internal/version.commit=$COMMIT" \
    -o /out/aws-login-operator ./cmd/aws-login-operator

# No system to trust or to update: a static binary, the certificates of public
# authorities, and the licences.
FROM scratch
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="AWS Login Operator" \
      org.opencontainers.image.description="Keeps pods supplied with AWS credentials from an aws login session" \
      org.opencontainers.image.source="https://github.com/awslogin-dev/aws-login-operator" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE THIRD_PARTY_NOTICES /
COPY --from=build /out/aws-login-operator /aws-login-operator
USER 65532:65532
ENTRYPOINT ["/aws-login-operator"]
