package main

import (
	"slices"
	"testing"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

func TestFetchedFoldersCannotReachEachOther(t *testing.T) {
	m := newMounts(map[string]string{"a": ".git/remotes/1/deploy", "b": ".git/remotes/2/a.yaml", "c": ".git/remotes/1"})
	for _, name := range []string{"", "app/a.yaml", ".git/remotes/1", ".git/remotes/1/deploy/a.yaml", ".git/remotes/2/a.yaml"} {
		if found, ok := m.name(m.absolute(name)); !ok || found != name {
			t.Errorf("%q is found as %q", name, found)
		}
	}
	for _, reference := range []string{
		"/../repository/a.yaml", "/../2/a.yaml", "/../../repository/a.yaml", "/.git/config", "/../../spec.kustomize/0.json",
	} {
		if found, ok := m.name(m.absolute(".git/remotes/1") + reference); ok {
			t.Errorf("%s reaches %q", reference, found)
		}
	}
	if found, ok := m.name(m.absolute("") + "/.git/remotes/1/a.yaml"); ok {
		t.Errorf("the user's files reach %q", found)
	}
}

func TestTextsHaveThePathsOfTheTree(t *testing.T) {
	m := newMounts(map[string]string{"a": ".git/remotes/1"})
	for text, expected := range map[string]string{
		"no '" + m.absolute(".git/remotes/1/a") + "' there": "no '/repository/.git/remotes/1/a' there",
		m.relative("app/prod", ".git/remotes/1/a"):          ".git/remotes/1/a",
		m.absolute("app"): "/repository/app",
		m.fromTop("app"):  "../repository/app",
		m.top + "/0.json": "/spec.kustomize/0.json",
	} {
		if found := m.plain(text); found != expected {
			t.Errorf("%q is shown as %q", text, found)
		}
	}
}

func TestARootIsNoPartOfTheFolderThatItLiesIn(t *testing.T) {
	files := map[string][]byte{"a.yaml": nil, ".git/remotes/1/b.yaml": nil}
	given := newTree(files, []string{""}, []string{".git/remotes/2"})
	for name, expected := range map[string]state{
		"b": absent, ".git/remotes/1": isFolder, ".git/remotes/1/b.yaml": isFile, ".git/remotes/1/c": unknown,
		".git/remotes/2/c": absent, ".git/remotes/3": unknown,
	} {
		if found := given.state(name); found != expected {
			t.Errorf("%s is in state %d", name, found)
		}
	}
	given.wanted[""] = true
	if needed := given.needed(); !slices.Equal(needed, []string{"", ".git/remotes/1/c", ".git/remotes/3"}) {
		t.Errorf("asks for %q", needed)
	}
	if below := given.below(""); !slices.Equal(below, []string{"a.yaml"}) {
		t.Errorf("the repository has %q", below)
	}
}

// The digests are of charts in Helm's own tests: import-values-from-enabled-subchart, and issue-7233 of Helm 2.
func TestALockFitsByHelmsDigest(t *testing.T) {
	environment := func(name string, imported any) *chart.Dependency {
		return &chart.Dependency{
			Name: name, Version: ">= 0.0.1", Repository: "file://envs/" + name, Tags: []string{name},
			Condition: name + ".enabled,global." + name + ".enabled", ImportValues: []any{imported},
		}
	}
	locked := func(name, version, repository string) *chart.Dependency {
		return &chart.Dependency{Name: name, Version: version, Repository: repository}
	}
	loaded := &chart.Chart{
		Metadata: &chart.Metadata{APIVersion: chart.APIVersionV2, Dependencies: []*chart.Dependency{
			environment("dev", "data"), environment("prod", "data"),
		}},
		Lock: &chart.Lock{
			Digest:       "sha256:9403fc24f6cf9d6055820126cf7633b4bd1fed3c77e4880c674059f536346182",
			Dependencies: []*chart.Dependency{locked("dev", "v0.1.0", "file://envs/dev"), locked("prod", "v0.1.0", "file://envs/prod")},
		},
	}
	if !lockFits(loaded) {
		t.Error("the lock does not fit")
	}
	loaded.Metadata.Dependencies[0].Version = ">= 0.0.2"
	if lockFits(loaded) {
		t.Error("the lock fits another range")
	}
	old := &chart.Chart{
		Metadata: &chart.Metadata{APIVersion: chart.APIVersionV1, Dependencies: []*chart.Dependency{locked("alpine", "0.1.0", "file://../alpine")}},
		Lock:     &chart.Lock{Digest: "sha256:7b380b1a826e7be1eecb089f66209d6d3df54be4bf879d4a8e6f8a9e871710e5"},
	}
	old.Lock.Dependencies = old.Metadata.Dependencies
	if !lockFits(old) {
		t.Error("the lock of Helm 2 does not fit")
	}
}
