package main

type helmSpec struct{}
type decryptionSpec struct{}
type substituteSpec struct{}
