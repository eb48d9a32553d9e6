// Command nopea-render turns the files of a repository into Kubernetes objects: Kustomize, Helm, SOPS and the
// substitution of variables, as a child process of Nopea. Its parent sends requests on standard input and reads
// answers on standard output. It reads no disk, reaches no network, starts no program and knows no cluster.
package main

import (
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"runtime/debug"
	_ "time/tzdata" // templates name time zones, and there is no disk to read them from

	"github.com/getsops/sops/v3/logging"
	"github.com/sirupsen/logrus"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(version())
		return
	}
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: nopea-render PARENT_PID | --version\nNopea starts this program and talks to it over its pipes.")
		os.Exit(2)
	}
	isolate()
	// Recursion that a library does not bound ends the process: sooner, and before the memory that neighbours need.
	debug.SetMaxStack(maxStack)
	archive.MaxDecompressedChartSize = maxArchive
	jsonpatch.AccumulatedCopySizeLimit = maxCopied
	if err := newServer(os.Stdin, os.Stdout).run(); err != nil {
		fmt.Fprintln(standardError, "nopea-render:", err)
		os.Exit(1)
	}
}

// maxStack is enough for the 100,000 levels that Go's templates allow.
const maxStack = 256 << 20

// maxArchive bounds what the archive of a dependency is unpacked to.
const maxArchive = 32 << 20

// maxCopied bounds what the copy operations of a JSON patch add: thirty of them could double an object thirty times.
const maxCopied = 4 << 20

// standardError is where this program itself writes; what libraries print is dropped by isolate.
var standardError io.Writer = os.Stderr

// isolate takes from the process what a library could reach the outside with: the environment with its PATH,
// HOME, tokens and proxies, and the network. Libraries' warnings are dropped, because they quote files.
func isolate() {
	os.Clearenv()
	refuseNetwork()
	log.SetOutput(io.Discard)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	logging.SetLevel(logrus.PanicLevel)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
	}
}
