package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"runtime"
	"strings"
	"sync"
)

// sources are this program's own files; go.sum names the exact content of every module.
//
//go:embed *.go go.mod go.sum
var sources embed.FS

// version changes when the program could render differently: with its sources, its modules or Go itself. The parent
// keys cached output by it.
var version = sync.OnceValue(func() string {
	digest := sha256.New()
	digest.Write([]byte(runtime.Version()))
	entries, _ := fs.ReadDir(sources, ".")
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		content, _ := sources.ReadFile(entry.Name())
		digest.Write([]byte(entry.Name()))
		digest.Write(content)
	}
	return hex.EncodeToString(digest.Sum(nil))[:16]
})
