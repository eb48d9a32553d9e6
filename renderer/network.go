package main

import (
	"context"
	"errors"
	"net"
	"net/http"
)

var errNoNetwork = errors.New("the renderer has no network")

type refusingTransport struct{}

func (refusingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNoNetwork }

// refuseNetwork makes every HTTP request and every look-up of a name fail, whichever library tries it.
func refuseNetwork() {
	http.DefaultTransport = refusingTransport{}
	http.DefaultClient = &http.Client{Transport: refusingTransport{}}
	net.DefaultResolver = &net.Resolver{
		PreferGo: true,
		Dial:     func(context.Context, string, string) (net.Conn, error) { return nil, errNoNetwork },
	}
}
