package main

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// tree is what a request may see of the repository, by paths relative to its root ("" is the root itself). It tells
// files that do not exist from files that were not given, and keeps what was read and looked for.
//
// A tree belongs to one request and one goroutine.
type tree struct {
	files    map[string][]byte
	parents  map[string]bool // every folder above a given file
	known    map[string]bool // folders of which all files were given
	missing  map[string]bool // what the repository does not have
	read     map[string]bool
	looked   map[string]bool
	listed   map[string]bool
	wanted   map[string]bool
	deadline time.Time
}

// The states of a path.
type state int

const (
	unknown state = iota // was not given: the parent must be asked
	absent
	isFile
	isFolder
)

func newTree(files map[string][]byte, folders, missing []string) *tree {
	result := &tree{
		files: files, parents: map[string]bool{"": true}, known: setOf(folders), missing: setOf(missing),
		read: map[string]bool{}, looked: map[string]bool{}, listed: map[string]bool{}, wanted: map[string]bool{},
	}
	if result.files == nil {
		result.files = map[string][]byte{}
	}
	for name := range result.files {
		for folder, ok := above(name); ok && !result.parents[folder]; folder, ok = above(folder) {
			result.parents[folder] = true
		}
	}
	return result
}

func setOf(paths []string) map[string]bool {
	result := make(map[string]bool, len(paths))
	for _, each := range paths {
		result[strings.Trim(each, "/")] = true
	}
	return result
}

// parentOf returns the folder of a path; the root's is the root.
func parentOf(name string) string {
	if folder := path.Dir(name); folder != "." {
		return folder
	}
	return ""
}

// above returns the folder of a path; ok is false at the root of the repository and of what was fetched, which does not
// belong to the folder that it lies in.
func above(name string) (folder string, ok bool) {
	if name == "" || name == remoteRoot(name) {
		return "", false
	}
	return parentOf(name), true
}

// joined resolves a reference made in a folder. ok is false where it leaves the repository.
func joined(folder, reference string) (name string, ok bool) {
	name = path.Join(folder, reference)
	if strings.HasPrefix(reference, "/") || name == ".." || strings.HasPrefix(name, "../") {
		return "", false
	}
	if name == "." {
		name = ""
	}
	return name, true
}

// state says what a path is, and writes down that somebody asked.
func (t *tree) state(name string) state {
	if _, found := t.files[name]; found {
		return isFile
	}
	if t.parents[name] || t.known[name] {
		return isFolder
	}
	if t.missing[name] || t.complete(name) {
		t.looked[name] = true
		return absent
	}
	t.wanted[name] = true
	return unknown
}

// complete reports whether a folder at or above the path was given with all its files.
func (t *tree) complete(name string) bool {
	for ok := true; ok; name, ok = above(name) {
		if t.known[name] || t.missing[name] {
			return true
		}
	}
	return false
}

// wantFolder asks for all files of a folder unless they were given.
func (t *tree) wantFolder(name string) bool {
	if t.complete(name) {
		return true
	}
	t.wanted[name] = true
	return false
}

// content returns a file; fs.ErrNotExist covers what is missing, and what must be asked for.
func (t *tree) content(name string) ([]byte, error) {
	if err := t.checkTime(); err != nil {
		return nil, err
	}
	if t.state(name) != isFile {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	t.read[name] = true
	return t.files[name], nil
}

// below returns the files of a folder, sorted; every one of them, and a new one, changes the outcome.
func (t *tree) below(folder string) []string {
	t.listed[folder] = true
	var result []string
	for name := range t.files {
		if strings.HasPrefix(name, folder+"/") || (folder == "" && remoteRoot(name) == "") {
			result = append(result, name)
		}
	}
	slices.Sort(result)
	return result
}

// needed returns what to ask the parent for, without what lies in a folder that is asked for too.
func (t *tree) needed() []string {
	var result []string
	for _, name := range slices.Sorted(maps.Keys(t.wanted)) {
		covered := false
		for folder, ok := above(name); ok && !covered; folder, ok = above(folder) {
			covered = t.wanted[folder]
		}
		if !covered {
			result = append(result, name)
		}
	}
	return result
}

func (t *tree) readPaths() []string     { return sorted(t.read) }
func (t *tree) lookedPaths() []string   { return sorted(t.looked) }
func (t *tree) listedFolders() []string { return sorted(t.listed) }

// sorted is never nil, which the other side would read as None.
func sorted(paths map[string]bool) []string {
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(paths))))
}

func (t *tree) checkTime() error {
	if !t.deadline.IsZero() && time.Now().After(t.deadline) {
		return newProblem(kindTimeout, "Rendering took longer than its deadline.")
	}
	return nil
}
