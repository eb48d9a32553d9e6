// The AWS KMS of the tests: Local KMS's handlers, on loopback, over TLS.
//
// `nopea-test-kms ADDRESS FOLDER CERTIFICATE KEY` keeps its keys in the folder. It prints the address that it listens on,
// then for each request its target and the access key that signed it, and ends when its standard input does: it never
// outlives its tests. Local KMS checks no signatures.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	kms "github.com/nsmithuk/local-kms/src"
	"github.com/nsmithuk/local-kms/src/config"
	"github.com/nsmithuk/local-kms/src/data"
)

var credential = regexp.MustCompile(`Credential=([^/]+)/`)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 4 {
		return errors.New("usage: nopea-test-kms ADDRESS FOLDER CERTIFICATE KEY")
	}
	config.AWSAccountId, config.AWSRegion, config.DatabasePath = "111122223333", "eu-west-2", arguments[1]
	database := data.NewDatabase(config.DatabasePath)
	defer database.Close()
	listener, err := net.Listen("tcp", arguments[0])
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
			by := "nobody"
			if found := credential.FindStringSubmatch(request.Header.Get("Authorization")); found != nil {
				by = found[1]
			}
			fmt.Println(strings.TrimPrefix(request.Header.Get("X-Amz-Target"), "TrentService."), by)
			kms.HandleRequest(writer, request, database)
		}),
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.ServeTLS(listener, arguments[2], arguments[3]); err != http.ErrServerClosed {
		return err
	}
	return nil
}
