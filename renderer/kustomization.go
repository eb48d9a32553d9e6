package main

import (
	"errors"
	"io"
	"path"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
)

// kustomization is a parsed kustomization file and where it is.
type kustomization struct {
	types.Kustomization
	folder  string
	file    string
	content []byte // with what was fetched instead of URLs
	written []byte // as it is in the repository
}

// load finds and parses the kustomization of a folder; nil with a problem added, or while its files must be asked for.
func (r *references) load(folder string, by reference) *kustomization {
	if !r.job.files.wantFolder(folder) {
		return nil
	}
	var result *kustomization
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		file := path.Join(folder, name)
		if r.job.files.state(file) != isFile {
			continue
		}
		if result != nil {
			r.add(newProblem(kindInvalidKustomization, "The folder has both %s and %s; keep one.", path.Base(result.file), name).in(file))
			return nil
		}
		result = &kustomization{folder: folder, file: file}
	}
	if result == nil {
		r.add(newProblem(kindMissingFile, "The folder %s has no kustomization.yaml.", shown(folder)).
			in(by.from).at(by.line).with("missing", path.Join(folder, "kustomization.yaml")))
		return nil
	}
	content, err := r.job.readable(result.file)
	if err != nil {
		r.addError(err)
		return nil
	}
	if err := result.Unmarshal(content); err != nil {
		r.add(unreadable(result.file, err))
		return nil
	}
	result.content, result.written = content, content
	if len(r.job.Remotes) > 0 {
		if result.content, err = r.mounts.withLocalBases(content, folder, r.job.Remotes); err != nil {
			r.add(unreadable(result.file, err))
			return nil
		}
		r.replaced[result.file] = result.content
	}
	result.FixKustomization()
	return result
}

// unreadable returns the problem of a kustomization file that cannot be parsed.
func unreadable(file string, err error) *problem {
	if errors.Is(err, io.EOF) {
		return newProblem(kindInvalidKustomization, "The kustomization is empty.").in(file)
	}
	return newProblem(kindInvalidKustomization, "The kustomization cannot be read.").in(file).at(lineIn(err)).because(err)
}
