package main

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// references goes through kustomizations as a build would, before it: so that everything that is missing is asked for
// at once, every remote base is named, and errors tell the file and line of the reference.
type references struct {
	job      *job
	found    problems
	stack    []string          // the folders that lead to the one that is looked at
	visited  map[visit]int     // how many objects and folders a build of each folder goes through
	remotes  map[string]bool   // references that were named already
	schema   bool              // whether any of them brings its own OpenAPI schema
	replaced map[string][]byte // kustomizations whose remote references lead to what was fetched, by path
	mounts   *mounts
	// Whether it looks at the settings of a plugin. Kustomize reads the files that they name for the kustomization that
	// has the plugin, so settings that were fetched could name the user's files.
	plugins bool
}

// visit is a folder and what it is for.
type visit struct {
	folder  string
	plugins bool
}

func newReferences(j *job) *references {
	return &references{
		job: j, visited: map[visit]int{}, remotes: map[string]bool{}, replaced: map[string][]byte{}, mounts: newMounts(j.Remotes),
	}
}

// reference is one mention of a path in a kustomization.
type reference struct {
	text string
	from string // the file that mentions it
	line int
}

// folder visits the kustomization of a folder and everything that it refers to. It returns how much a build of it goes
// through, which a chain of bases that each use the next one twice doubles at every step.
func (r *references) folder(folder string, by reference) int {
	for _, above := range r.stack {
		if above == folder || folder == "" || strings.HasPrefix(above, folder+"/") {
			r.add(newProblem(kindCycle, "The kustomization refers to %s, which it is part of.", shown(folder)).
				in(by.from).at(by.line).with("names", folders(append(slices.Clone(r.stack), folder))))
			return 0
		}
	}
	this := visit{folder, r.plugins}
	if amount, done := r.visited[this]; done {
		return amount
	}
	r.visited[this] = 0
	k := r.load(folder, by)
	if k == nil || r.job.checkTime() != nil {
		return 0
	}
	r.stack = append(r.stack, folder)
	amount := r.contents(k)
	r.stack = r.stack[:len(r.stack)-1]
	r.visited[this] = amount
	return amount
}

// contents visits what one kustomization refers to.
func (r *references) contents(k *kustomization) int {
	amount := 1
	if len(k.HelmCharts) > 0 || len(k.HelmChartInflationGenerator) > 0 {
		r.add(newProblem(kindPlugin, "helmCharts in a kustomization are not rendered.").in(k.file).at(lineOf(k.written, "helmCharts")).with("names", []string{"helmCharts"}))
	}
	r.schema = r.schema || len(k.OpenAPI) > 0
	for _, text := range k.Resources {
		amount = bounded(amount + r.resource(k, text, true))
	}
	for _, text := range k.Components {
		amount = bounded(amount + r.resource(k, text, false))
	}
	outer := r.plugins
	r.plugins = true
	for _, text := range slices.Concat(k.Generators, k.Transformers, k.Validators) {
		if !r.isInline(k, text) {
			amount = bounded(amount + r.resource(k, text, true))
		}
	}
	r.plugins = outer
	for _, text := range k.PatchesStrategicMerge {
		if !r.isInline(k, string(text)) {
			r.file(k, string(text))
		}
	}
	for _, patch := range slices.Concat(k.Patches, k.PatchesJson6902) {
		r.inline(k, patch.Patch)
		r.file(k, patch.Path)
	}
	for _, replacement := range k.Replacements {
		r.file(k, replacement.Path)
	}
	for _, text := range slices.Concat(k.Crds, k.Configurations, []string{k.OpenAPI["path"]}) {
		r.file(k, text)
	}
	for _, generator := range k.ConfigMapGenerator {
		r.sources(k, generator.KvPairSources)
	}
	for _, generator := range k.SecretGenerator {
		r.sources(k, generator.KvPairSources)
	}
	return amount
}

// bounded keeps the sum of a hostile chain of bases from overflowing.
func bounded(amount int) int { return min(amount, 1<<40) }

func (r *references) sources(k *kustomization, sources types.KvPairSources) {
	for _, text := range sources.EnvSources {
		r.file(k, text)
	}
	for _, text := range sources.FileSources {
		if _, file, named := strings.Cut(text, "="); named {
			text = file
		}
		r.file(k, text)
	}
}

// resource visits a file, or where they are allowed a folder, and returns how much a build of it goes through.
func (r *references) resource(k *kustomization, text string, fileAllowed bool) int {
	if text == "" {
		r.add(newProblem(kindInvalidKustomization, "A list of references has an empty entry.").in(k.file))
		return 0
	}
	mention := r.mention(k, text)
	name, ok := r.resolve(k, mention, !r.plugins)
	if !ok {
		return 0
	}
	switch r.job.files.state(name) {
	case isFile:
		if fileAllowed {
			r.unlock(name)
			return 1 + bytes.Count(r.job.files.files[name], []byte("\n---"))
		}
		r.add(newProblem(kindInvalidKustomization, "%s is a file; a component is a folder.", shown(name)).in(mention.from).at(mention.line))
		return 0
	case isFolder:
		return r.folder(name, mention)
	case unknown:
		return 0
	}
	r.missing(mention, name)
	return 0
}

// file visits a file that is not a resource.
func (r *references) file(k *kustomization, text string) {
	if text == "" {
		return
	}
	mention := r.mention(k, text)
	if name, ok := r.resolve(k, mention, false); ok {
		switch r.job.files.state(name) {
		case absent, isFolder:
			r.missing(mention, name)
		case isFile:
			r.unlock(name)
		}
	}
}

// unlock has the answer ask for the key of a file now: the build would stop at the first one. It reports the rest itself.
func (r *references) unlock(name string) {
	if r.job.Decryption != nil {
		_, _ = r.job.decrypt(name, r.job.files.files[name])
	}
}

// resolve returns the path that a reference means. ok is false after a problem was added, or while what is remote must be
// fetched.
func (r *references) resolve(k *kustomization, mention reference, fetchable bool) (name string, ok bool) {
	name, inside := joined(k.folder, mention.text)
	home := remoteRoot(k.folder)
	if inside && home == "" && remoteRoot(name) == "" {
		if _, found := r.job.files.files[name]; found {
			return name, true
		}
	}
	if remoteReference.MatchString(mention.text) {
		if fetchable {
			return r.job.fetched(fetchItem{Kind: "base", URL: mention.text, File: mention.from, Line: mention.line})
		}
		if !r.remotes[mention.text] {
			r.remotes[mention.text] = true
			r.add(newProblem(kindRemote, "%s is not in the repository.", mention.text).in(mention.from).at(mention.line).with("url", mention.text))
		}
		return "", false
	}
	switch {
	case home != "" && (!inside || remoteRoot(name) != home):
		r.add(newProblem(kindOutside, "%s leaves the fetched base.", mention.text).in(mention.from).at(mention.line))
	case !inside:
		r.add(newProblem(kindOutside, "%s leaves the repository.", mention.text).in(mention.from).at(mention.line))
	case namesGit(mention.text):
		r.add(newProblem(kindOutside, "%s goes through .git, which is not part of the repository.", mention.text).in(mention.from).at(mention.line))
	default:
		return name, true
	}
	return "", false
}

// isInline tells a patch or plugin that is written in the kustomization itself from the path of one.
func (r *references) isInline(k *kustomization, text string) bool {
	inline := strings.ContainsAny(text, "\n{")
	if inline {
		r.inline(k, text)
	}
	return inline
}

func (r *references) inline(k *kustomization, text string) {
	if err := checkYAML([]byte(text)); err != nil {
		r.addError(err.in(k.file))
	}
}

func (r *references) mention(k *kustomization, text string) reference {
	return reference{text: text, from: k.file, line: lineOf(k.written, text)}
}

func (r *references) missing(mention reference, name string) {
	r.add(newProblem(kindMissingFile, "%s does not exist.", shown(name)).in(mention.from).at(mention.line).with("missing", name))
}

func (r *references) add(p *problem) {
	if len(r.found) < maxProblems {
		r.found = append(r.found, p)
	}
}

func (r *references) addError(err error) {
	if p, ok := err.(*problem); ok {
		r.add(p)
		return
	}
	r.add(newProblem(kindBug, "The file cannot be read.").because(err))
}
