package main

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
)

// kustomizeError maps the text of a Kustomize error to a kind and a sentence of ours. The library has no types for its
// errors. The first match counts, so what is more exact comes first.
type kustomizeError struct {
	pattern *regexp.Regexp
	kind    string
	message string // $1… stand for the groups of the pattern
}

// printedID matches an object in the texts about generators, which print the library's structures.
const printedID = `Kind:\\*"(\w+)[^}]*\}, Name:\\*"([^"\\]+)[^}]*\}`

var kustomizeErrors = []kustomizeError{
	{regexp.MustCompile(`external plugins disabled; unable to load external plugin '([^']*)'`), kindPlugin, "The plugin $1 is not run."},
	{regexp.MustCompile(`must specify --enable-helm`), kindPlugin, "helmCharts in a kustomization are not rendered."},
	{regexp.MustCompile(`Get "([^"]*)": the renderer has no network`), kindRemote, "$1 is not in the repository."},
	{regexp.MustCompile(`accumulated size increase of copy`), kindTooBig, "The copy operations of a JSON patch make an object too big."},
	{regexp.MustCompile(`cycle detected`), kindCycle, "The kustomization refers to a folder that it is part of."},
	{regexp.MustCompile(`no resource matches strategic merge patch "([^"]*)"`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`unable to find patch target "([^"]*)"`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`no matches for Id ([^;\s]+)`), kindPatchNoMatch, "The patch for $1 matches no object."},
	{regexp.MustCompile(`(?:add|remove|replace|test|copy|move) operation does not apply: ([^\n]*)`), kindPatchNoMatch, "A JSON patch does not fit its object: $1."},
	{regexp.MustCompile(`error in (add|remove|replace|test|copy|move) for path: '([^']*)'`), kindPatchNoMatch, "A JSON patch does not fit its object: $1 of $2."},
	{regexp.MustCompile(`Unexpected kind: ([^\n]*)`), kindInvalidKustomization, "A JSON patch has the operation $1, which does not exist."},
	{regexp.MustCompile(`resource with name (\S+) does not match a config with the following GVK`), kindPatchNoMatch, "replicas names $1, which is no object that has replicas."},
	{regexp.MustCompile(`may not add resource with an already registered id: (\S+)`), kindDuplicateID, "Two resources have the id $1."},
	{regexp.MustCompile(printedID + ` exists; can not use behavior`), kindDuplicateID, "A generator makes $1 $2, which exists already; set its behavior to merge or replace."},
	{regexp.MustCompile(printedID + ` does not exist; cannot merge or replace`), kindInvalidKustomization, "A generator adds to $1 $2, which does not exist."},
	{regexp.MustCompile("(\\w+) (\\S+) illegally repeats the key `([^`]*)`"), kindInvalidKustomization, "The generator of $1 $2 has the key $3 twice."},
	{regexp.MustCompile(`(?:unable to find one of 'kustomization.yaml'|must build at directory|no such file|file does not exist)`), kindMissingFile, "A file that the kustomization needs does not exist."},
	{regexp.MustCompile(`kustomization.yaml is empty`), kindInvalidKustomization, "The kustomization is empty."},
	{regexp.MustCompile(`Found multiple kustomization files`), kindInvalidKustomization, "A folder has two kustomization files; keep one."},
	{regexp.MustCompile(`(?:MalformedYAMLError|encounters a format error|error converting YAML|mapping key .* already defined|missing Resource metadata|missing metadata.name|missing kind|missing apiVersion|Object 'Kind' is missing|yaml: )`), kindInvalidResource, "A resource cannot be read."},
}

// fileInError finds the file that Kustomize's text blames: the last one is the innermost.
var fileInError = []*regexp.Regexp{
	regexp.MustCompile(`in File: (\S+)`),
	regexp.MustCompile(`YAML file \[([^\]]+)\]`),
	regexp.MustCompile(`accumulating resources from '([^'\n]+)'`),
	regexp.MustCompile(`(?:path|under) '?` + mount + `/?([^'\s:]*)`),
}

// attemptAsFile is in front of every error of a base: Kustomize first tries each as a file.
var attemptAsFile = regexp.MustCompile(`accumulation err='accumulating resources from '[^']*': [^']*': `)

// asOneAttempt leaves of the two attempts at a resource, first as a file and then as a folder, the one that counts.
// Paths that are neither were found before the build.
func asOneAttempt(text string) string {
	const attempt, notAFolder = "accumulation err='", "': must build at directory"
	if last := strings.LastIndex(text, attempt); last >= 0 {
		if before, _, isFile := strings.Cut(text[last+len(attempt):], notAFolder); isFile {
			text = text[:last] + before
		}
	}
	return attemptAsFile.ReplaceAllString(text, "")
}

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
	text := asOneAttempt(b.fs.mounts.plain(err.Error()))
	result := newProblem(kindInvalidKustomization, "The kustomization cannot be built.")
	for _, candidate := range kustomizeErrors {
		if found := candidate.pattern.FindStringSubmatch(text); found != nil {
			parts := []any{}
			format := placeholder.ReplaceAllStringFunc(candidate.message, func(place string) string {
				part := strings.ReplaceAll(found[place[1]-'0'], mount+"/", "")
				parts = append(parts, resourceID.ReplaceAllStringFunc(part, named))
				return "%s"
			})
			result = newProblem(candidate.kind, format, parts...)
			if candidate.kind == kindRemote {
				result.with("url", found[1])
			}
			break
		}
	}
	// What is merged from a folder is the fault of who merges it.
	result.file, result.line = b.blamed(mergedFrom.ReplaceAllString(text, "")), lineIn(err)
	shortened := strings.NewReplacer(mount+"/", "", "'"+mount+"'", "the repository's root", top, "spec.kustomize").Replace(text)
	shortened = resourceID.ReplaceAllStringFunc(address.ReplaceAllString(shortened, ""), named)
	result.detail = cut(innermost(shortened))
	return result
}

// placeholder is where a group of a pattern stands in a message.
var placeholder = regexp.MustCompile(`\$[1-9]`)

var mergedFrom = regexp.MustCompile(`recursed merging from path '[^']*'`)

// address matches the addresses in memory that the library prints: the same error must have the same text each time.
var address = regexp.MustCompile(` ?&\{0x[^}]*\}`)

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
			named := strings.Trim(all[i][1], "/")
			for _, name := range b.job.files.readPaths() {
				if name == named || strings.HasSuffix(name, "/"+strings.TrimLeft(named, "./")) || isKustomizationOf(name, named) {
					return name
				}
			}
		}
	}
	for _, name := range b.job.files.readPaths() {
		if isKustomizationOf(name, strings.Trim(b.job.Path, "/")) {
			return name
		}
	}
	return ""
}

func isKustomizationOf(name, folder string) bool {
	return parentOf(name) == folder && slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(name))
}

// resourceID matches how Kustomize prints an object: "Deployment.v1.apps/web.[noNs]".
var resourceID = regexp.MustCompile(`\b([A-Z]\w*)\.(?:v\w+|\[noVer\])\.[^/\s]*/(\S+)\.(\[noNs\]|[a-z0-9-]+)`)

// named returns how a person names the object.
func named(id string) string {
	parts := resourceID.FindStringSubmatch(id)
	if parts[3] == "[noNs]" {
		return parts[1] + " " + parts[2]
	}
	return parts[1] + " " + parts[3] + "/" + parts[2]
}
