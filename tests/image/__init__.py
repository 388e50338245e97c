"""The container image, tried: `just image-test` builds it first."""
