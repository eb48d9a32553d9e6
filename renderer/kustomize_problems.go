package main

import (
	"errors"
	"regexp"
	"strings"
)

// kustomizeError maps the text of a Kustomize error to a kind and a sentence of ours. The library has no types for its
// errors. The first match counts, so what is more exact comes first.
type kustomizeError struct {
	pattern *regexp.Regexp
	kind    string
	message string // $1… stand for the groups of the pattern
}

var kustomizeErrors = []kustomizeError{
	{regexp.MustCompile(`external plugins disabled; unable to load external plugin '([^']*)'`), kindPlugin, "The plugin $1 is not run."},
	{regexp.MustCompile(`must specify --enable-helm`), kindPlugin, "helmCharts in a kustomization are not rendered."},
	{regexp.MustCompile(`cycle detected`), kindCycle, "The kustomization refers to a folder that it is part of."},
	{regexp.MustCompile(`no resource matches strategic merge patch "([^"]*)"`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`unable to find patch target "([^"]*)"`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`no matches for Id ([^;\s]+)`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`(?:add|remove|replace|test|copy|move) operation does not apply: ([^\n]*)`), kindPatchNoMatch, "A JSON patch does not fit its object: $1."},
	{regexp.MustCompile(`resource with name (\S+) does not match a config with the following GVK`), kindPatchNoMatch, "replicas names $1, which is no object that has replicas."},
	{regexp.MustCompile(`may not add resource with an already registered id: (\S+)`), kindDuplicateID, "Two resources have the id $1."},
	{regexp.MustCompile(`id resid\.ResId\{[^}]*\} exists; behavior must be merge or replace`), kindDuplicateID, "A generator makes an object that exists; set its behavior to merge or replace."},
	{regexp.MustCompile(`(?:unable to find one of 'kustomization.yaml'|must build at directory|no such file|file does not exist)`), kindMissingFile, "A file that the kustomization needs does not exist."},
	{regexp.MustCompile(`Found multiple kustomization files`), kindInvalidKustomization, "A folder has two kustomization files; keep one."},
	{regexp.MustCompile(`(?:MalformedYAMLError|encounters a format error|error converting YAML|mapping key .* already defined|missing Resource metadata|missing metadata.name|missing kind|missing apiVersion|Object 'Kind' is missing|yaml: )`), kindInvalidResource, "A resource cannot be read."},
}

// fileInError finds the file that Kustomize's text blames: the last one is the innermost.
var fileInError = []*regexp.Regexp{
	regexp.MustCompile(`in File: (\S+)`),
	regexp.MustCompile(`YAML file \[([^\]]+)\]`),
	regexp.MustCompile(`accumulating resources from '([^'\n]+)'`),
	regexp.MustCompile(`(?:path|under) '?` + mount + `/([^'\s:]*)`),
}

// attemptAsFile is in front of every error of a base: Kustomize first tries each as a file.
var attemptAsFile = regexp.MustCompile(`accumulation err='accumulating resources from '[^']*': [^']*': `)

// explain turns an error of a build into a problem. What the file system refused comes first: Kustomize drops errors of
// files that may also be folders.
func (b *build) explain(err error) error {
	if b.fs.failed != nil {
		return b.fs.failed
	}
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	text := attemptAsFile.ReplaceAllString(err.Error(), "")
	result := newProblem(kindInvalidKustomization, "The kustomization cannot be built.")
	for _, candidate := range kustomizeErrors {
		if found := candidate.pattern.FindStringSubmatchIndex(text); found != nil {
			message := candidate.pattern.ExpandString(nil, candidate.message, text, found)
			result = newProblem(candidate.kind, "%s", strings.ReplaceAll(string(message), mount+"/", ""))
			break
		}
	}
	result.file, result.line = b.blamed(text), lineIn(err)
	shortened := strings.NewReplacer(mount+"/", "", "'"+mount+"'", "the repository's root", top, "spec.kustomize").Replace(text)
	result.detail = cut(innermost(shortened))
	return result
}

// innermost drops the chain of folders in front of a long error: its end says what is wrong.
func innermost(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-maxDetail+len("…"):], "")
}

// blamed returns the file of the repository that an error is about, or the kustomization that is built.
func (b *build) blamed(text string) string {
	for _, pattern := range fileInError {
		all := pattern.FindAllStringSubmatch(text, -1)
		for i := len(all) - 1; i >= 0; i-- {
			for _, name := range b.job.files.readPaths() {
				if name == all[i][1] || strings.HasSuffix(name, "/"+strings.TrimLeft(all[i][1], "./")) {
					return name
				}
			}
		}
	}
	for _, name := range b.job.files.readPaths() {
		if folder := parentOf(name); folder == strings.Trim(b.job.Path, "/") && strings.Contains(strings.ToLower(name), "kustomization") {
			return name
		}
	}
	return ""
}
