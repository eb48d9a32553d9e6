package main

// Keeps modules in go.mod until their files are written.
import (
	_ "github.com/fluxcd/pkg/envsubst"
	_ "github.com/getsops/sops/v3/age"
)
