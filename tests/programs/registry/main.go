// The OCI registry of the tests: distribution's own handlers, on loopback, without the clouds' storage.
//
// `nopea-test-registry CONFIG` serves as a file in distribution's format says. It prints the address that it
// listens on, then a line for each request, and ends when its standard input does: it never outlives its tests.
// `nopea-test-registry hash` prints the entry of an htpasswd file for the login "user:password" that it reads.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/middleware/redirect"
	"golang.org/x/crypto/bcrypt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("usage: nopea-test-registry CONFIG | hash")
	}
	if arguments[0] == "hash" {
		return hash()
	}
	file, err := os.Open(arguments[0])
	if err != nil {
		return err
	}
	defer file.Close()
	config, err := configuration.Parse(file)
	if err != nil {
		return err
	}
	return serve(config)
}

func hash() error {
	login, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	user, password, _ := strings.Cut(strings.TrimSuffix(login, "\n"), ":")
	hashed, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	fmt.Printf("%s:%s\n", user, hashed)
	return err
}

func serve(config *configuration.Configuration) error {
	listener, err := net.Listen("tcp", config.HTTP.Addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           printed(handlers.NewApp(context.Background(), config)),
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12},
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if config.HTTP.TLS.Certificate != "" {
		err = server.ServeTLS(listener, config.HTTP.TLS.Certificate, config.HTTP.TLS.Key)
	} else {
		err = server.Serve(listener)
	}
	if err == http.ErrServerClosed {
		return nil
	}
	return err
}

// printed prints each request before it is answered, so that a client that has an answer finds the line.
func printed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		fmt.Println(request.Method, request.URL.Path)
		next.ServeHTTP(writer, request)
	})
}
