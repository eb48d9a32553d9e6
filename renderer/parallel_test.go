package main

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"

const claims = `apiVersion: shop.test/v1
kind: Claim
metadata: {name: a}
spec: {items: [{name: a, size: 1}, {name: b, size: 2}]}
`

// overlayOfClaims patches a list of a custom resource; with a schema its items are merged by their names.
func overlayOfClaims(schema bool) *request {
	kustomization := `resources: [a.yaml]
patches:
- patch: "{apiVersion: shop.test/v1, kind: Claim, metadata: {name: a}, spec: {items: [{name: a, size: 3}]}}"
`
	files := map[string][]byte{"a.yaml": []byte(claims)}
	if schema {
		kustomization += "openapi: {path: schema.json}\n"
		files["schema.json"] = []byte(`{"definitions": {"test.shop.v1.Claim": {
			"x-kubernetes-group-version-kind": [{"group": "shop.test", "version": "v1", "kind": "Claim"}],
			"properties": {"spec": {"properties": {"items": {"type": "array", "x-kubernetes-patch-merge-key": "name",
				"x-kubernetes-patch-strategy": "merge", "items": {"properties": {"name": {"type": "string"}}}}}}}}}}`)
	}
	files["kustomization.yaml"] = []byte(kustomization)
	return &request{Files: files}
}

func everyKind() map[string]*request {
	return map[string]*request{
		"plain schema": overlayOfClaims(false),
		"own schema":   overlayOfClaims(true),
		"generator": {Files: map[string][]byte{
			"kustomization.yaml": []byte("resources: [a.yaml]\nnamespace: shop\nconfigMapGenerator: [{name: b, literals: [c=d]}]\n"),
			"a.yaml":             []byte(configMap),
		}},
		"helm": {Kind: "helm", Helm: &helmSpec{ReleaseName: "a"}, Files: map[string][]byte{
			"Chart.yaml":       []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
			"templates/a.yaml": []byte(configMap + "# {{ .Release.Name }} {{ until 5 }}\n"),
		}},
	}
}

func TestRequestsSideBySideDoNotKnowEachOther(t *testing.T) {
	expected := map[string]*rendered{}
	for name, asked := range everyKind() {
		result, err := renderFiles(asked)
		check(t, err)
		expected[name] = result
	}
	if reflect.DeepEqual(expected["plain schema"].Documents, expected["own schema"].Documents) {
		t.Fatal("the schema has no effect")
	}
	var group sync.WaitGroup
	failures := make(chan string, 1000)
	for range 8 {
		group.Go(func() {
			for range 3 {
				for name, asked := range everyKind() {
					if result, err := renderFiles(asked); err != nil || !reflect.DeepEqual(result, expected[name]) {
						failures <- fmt.Sprint(name, err)
					}
				}
			}
		})
	}
	group.Wait()
	close(failures)
	for failure := range failures {
		t.Error(failure)
	}
}
