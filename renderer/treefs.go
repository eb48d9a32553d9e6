package main

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var errReadOnly = errors.New("the repository cannot be written")

// treeFS shows a tree to Kustomize as a file system, read-only. A few files beside the tree or in place of its own are
// the renderer's.
type treeFS struct {
	tree    *tree
	mounts  *mounts
	own     map[string][]byte // by absolute path
	decoded func(name string, content []byte) ([]byte, error)
	failed  error // the first error that is not about a missing file
}

func (f *treeFS) ReadFile(absolute string) ([]byte, error) {
	absolute = path.Clean(absolute)
	name, inside := f.mounts.name(absolute)
	if content, found := f.own[absolute]; found {
		if inside {
			f.tree.read[name] = true
		}
		return content, nil
	}
	if !inside {
		return nil, fs.ErrNotExist
	}
	content, err := f.tree.content(name)
	if err == nil {
		content, err = f.decoded(name, content)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && f.failed == nil {
		f.failed = err
	}
	return content, err
}

func (f *treeFS) CleanedAbs(absolute string) (filesys.ConfirmedDir, string, error) {
	absolute = path.Clean(absolute)
	for own := range f.own {
		if own == absolute {
			return filesys.ConfirmedDir(path.Dir(own)), path.Base(own), nil
		}
		if path.Dir(own) == absolute {
			return filesys.ConfirmedDir(absolute), "", nil
		}
	}
	if name, inside := f.mounts.name(absolute); inside {
		switch f.tree.state(name) {
		case isFile:
			return filesys.ConfirmedDir(path.Dir(absolute)), path.Base(absolute), nil
		case isFolder:
			return filesys.ConfirmedDir(absolute), "", nil
		}
	}
	return "", "", fs.ErrNotExist
}

func (f *treeFS) IsDir(absolute string) bool {
	_, file, err := f.CleanedAbs(absolute)
	return err == nil && file == ""
}

func (f *treeFS) Exists(absolute string) bool {
	_, _, err := f.CleanedAbs(absolute)
	return err == nil
}

// What follows is part of the interface and not used by a build.

func (f *treeFS) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (f *treeFS) Mkdir(string) error                   { return errReadOnly }
func (f *treeFS) MkdirAll(string) error                { return errReadOnly }
func (f *treeFS) RemoveAll(string) error               { return errReadOnly }
func (f *treeFS) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (f *treeFS) ReadDir(string) ([]string, error)     { return nil, errReadOnly }
func (f *treeFS) Glob(string) ([]string, error)        { return nil, errReadOnly }
func (f *treeFS) WriteFile(string, []byte) error       { return errReadOnly }
func (f *treeFS) Walk(string, filepath.WalkFunc) error { return errReadOnly }
