FROM golang:1.26 AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-X awslogin.dev/operator/internal/version.release=$VERSION" -o /aws-login-operator ./cmd/aws-login-operator

# No shell, no package manager: a binary and the certificates of public authorities.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /aws-login-operator /aws-login-operator
USER 65532:65532
ENTRYPOINT ["/aws-login-operator"]
