package main

type decryptionSpec struct{}
type substituteSpec struct{}
