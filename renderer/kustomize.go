package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// kustomizeSpec is spec.kustomize of a GitRepository, with the fields of a kustomization.
type kustomizeSpec struct {
	NamePrefix     string           `msgpack:"namePrefix"`
	NameSuffix     string           `msgpack:"nameSuffix"`
	Images         []map[string]any `msgpack:"images"`
	Patches        []map[string]any `msgpack:"patches"`
	Components     []string         `msgpack:"components"`
	CommonMetadata struct {
		Labels      map[string]string `msgpack:"labels"`
		Annotations map[string]string `msgpack:"annotations"`
	} `msgpack:"commonMetadata"`
}

// mark adds the common metadata to an object: to the object itself only, as in Flux, and not to templates in it.
func (s *kustomizeSpec) mark(object *resource.Resource) error {
	if s == nil {
		return nil
	}
	if added := s.CommonMetadata.Labels; len(added) > 0 {
		labels := object.GetLabels()
		maps.Copy(labels, added)
		if err := object.SetLabels(labels); err != nil {
			return err
		}
	}
	if added := s.CommonMetadata.Annotations; len(added) > 0 {
		annotations := object.GetAnnotations()
		maps.Copy(annotations, added)
		return object.SetAnnotations(annotations)
	}
	return nil
}

// renderKustomize builds the kustomization at the request's path, or where the parent gives documents, spec.kustomize on
// top of them: a folder of plain manifests needs no kustomization of its own.
func (j *job) renderKustomize() ([]document, error) {
	walk := newReferences(j)
	amount := len(j.Documents)
	if !j.onDocuments() {
		amount += walk.folder(j.Path, reference{})
	}
	if j.Kustomize != nil {
		spec := &kustomization{folder: j.Path}
		for _, text := range j.Kustomize.Components {
			amount = bounded(amount + walk.resource(spec, text, false))
		}
		for _, patch := range j.Kustomize.Patches {
			text, _ := patch["patch"].(string)
			walk.inline(spec, text)
		}
	}
	if j.incomplete() {
		return nil, nil
	}
	if len(walk.found) > 0 {
		return nil, walk.found
	}
	// Twice, because patches may delete what bases create.
	if amount > 2*j.limits.documents {
		return nil, newProblem(kindTooManyDocuments, "The bases add up to %d objects and folders; at most %d objects are applied.", amount, j.limits.documents)
	}
	root := &kustomization{folder: j.Path}
	if !j.onDocuments() {
		root = walk.load(j.Path, reference{})
	}
	if root == nil {
		return nil, walk.found
	}
	build, err := j.prepare(root, walk)
	if err != nil {
		return nil, err
	}
	for file, content := range walk.replaced {
		if file != root.file || j.Kustomize != nil {
			build.fs.own[walk.mounts.absolute(file)] = content
		}
	}
	resources, err := build.run()
	if err != nil {
		return nil, build.explain(err)
	}
	return build.documents(resources)
}

func (j *job) onDocuments() bool { return j.Kustomize != nil && len(j.Documents) > 0 }

// build is one run of Kustomize.
type build struct {
	job  *job
	fs   *treeFS
	root string // the absolute folder that is built; origins are relative to it
	own  bool   // whether the schema is changed by this build
	// whether the user asked for origin annotations in the output
	keepOrigins bool
}

// prepare makes the files that are not the repository's: the root kustomization asks for origin annotations, and
// spec.kustomize becomes a kustomization on top of the user's.
func (j *job) prepare(root *kustomization, walk *references) (*build, error) {
	result := &build{
		job: j, root: walk.mounts.absolute(root.folder),
		fs:          &treeFS{tree: j.files, mounts: walk.mounts, own: map[string][]byte{}, decoded: j.decoded},
		own:         walk.schema,
		keepOrigins: slices.Contains(root.BuildMetadata, types.OriginAnnotations),
	}
	metadata := root.BuildMetadata
	if !result.keepOrigins {
		metadata = append(slices.Clone(metadata), types.OriginAnnotations)
	}
	if j.Kustomize == nil {
		content, err := withField(root.content, "buildMetadata", metadata)
		if err != nil {
			return nil, unreadable(root.file, err)
		}
		result.fs.own[walk.mounts.absolute(root.file)] = content
		return result, nil
	}
	spec := j.Kustomize
	resources := []string{walk.mounts.fromTop(root.folder)}
	if j.onDocuments() {
		resources = resources[:0]
		for i, document := range j.Documents {
			name := fmt.Sprintf("%d.json", i)
			resources = append(resources, name)
			result.fs.own[path.Join(walk.mounts.top, name)] = document.JSON
		}
	}
	above := map[string]any{
		"apiVersion": types.KustomizationVersion, "kind": types.KustomizationKind,
		"resources": resources, "buildMetadata": metadata,
		"namePrefix": spec.NamePrefix, "nameSuffix": spec.NameSuffix,
	}
	if len(spec.Images) > 0 {
		above["images"] = spec.Images
	}
	if len(spec.Patches) > 0 {
		above["patches"] = spec.Patches
	}
	// Kustomize takes these from the root of a build only.
	if root.SortOptions != nil {
		above["sortOptions"] = root.SortOptions
	}
	components := []string{}
	for _, text := range spec.Components {
		name, fetched := j.Remotes[text]
		if !fetched {
			name, _ = joined(j.Path, text)
		}
		components = append(components, walk.mounts.fromTop(name))
	}
	above["components"] = components
	content, err := json.Marshal(above)
	if err != nil {
		return nil, err
	}
	result.root = walk.mounts.top
	result.fs.own[path.Join(result.root, "kustomization.yaml")] = content
	return result, nil
}

// fromTop returns a path of the tree as the kustomization of spec.kustomize refers to it.
func (m *mounts) fromTop(name string) string { return path.Join("..", m.absolute(name)) }

// withField returns a YAML mapping with one field set and the rest as it was.
func withField(content []byte, field string, values []string) ([]byte, error) {
	node, err := yaml.Parse(string(content))
	if err != nil {
		return nil, err
	}
	if err := node.PipeE(yaml.SetField(field, yaml.NewListRNode(values...))); err != nil {
		return nil, err
	}
	text, err := node.String()
	return []byte(text), err
}

// schema guards Kustomize's OpenAPI schema, which is one for the whole process: builds that bring their own run alone
// and leave the default one behind, or one tenant's schema would merge another's lists.
var schema sync.RWMutex

// loadSchema parses the default schema once, so that builds that run side by side only read it.
var loadSchema = sync.OnceFunc(func() { openapi.Schema() })

func (b *build) run() (result resmap.ResMap, err error) {
	if b.own {
		schema.Lock()
		defer schema.Unlock()
		defer func() {
			// Kustomize panics on a schema that it cannot read.
			if panicked := recover(); panicked != nil {
				err = newProblem(kindInvalidKustomization, "The schema of openapi cannot be read.").in(b.blamed("")).because(errors.New(b.fs.mounts.plain(fmt.Sprint(panicked))))
			}
			openapi.ResetOpenAPI()
			openapi.Schema()
		}()
	} else {
		loadSchema()
		schema.RLock()
		defer schema.RUnlock()
	}
	options := krusty.MakeDefaultOptions()
	// Bases beside the overlay are what bases are for, and nothing is outside of the tree.
	options.LoadRestrictions = types.LoadRestrictionsNone
	return krusty.MakeKustomizer(options).Run(b.fs, b.root)
}

// documents turns the resources into JSON, each with the file that a person edits to change it.
func (b *build) documents(resources resmap.ResMap) ([]document, error) {
	result := make([]document, 0, resources.Size())
	seen, counts := map[string]int{}, map[string]int{}
	for _, resource := range resources.Resources() {
		if err := b.job.checkTime(); err != nil {
			return nil, err
		}
		source := ""
		var given *document
		if origin, err := resource.GetOrigin(); err == nil && origin != nil {
			source, given = b.source(origin.Path, origin.ConfiguredIn), b.given(origin.Path)
		}
		if !b.keepOrigins {
			if err := resource.SetOrigin(nil); err != nil {
				return nil, err
			}
		}
		if err := errors.Join(withVersion(resource), b.job.Kustomize.mark(resource)); err != nil {
			return nil, newProblem(kindInvalidResource, "The labels or annotations of %s %s cannot be set.", resource.GetKind(), resource.GetName()).in(source).because(err)
		}
		content, err := resource.MarshalJSON()
		if err != nil {
			return nil, newProblem(kindInvalidResource, "%s %s cannot be written as JSON.", resource.GetKind(), resource.GetName()).in(source).because(err)
		}
		// The user asked for annotations that say where an object is from.
		content = []byte(b.fs.mounts.plain(string(content)))
		if given != nil {
			result = append(result, document{Source: given.Source, Index: given.Index, JSON: content})
			continue
		}
		if counts[source] == 0 {
			counts[source] = b.documentsIn(source)
		}
		result = append(result, document{Source: source, Index: seen[source] % counts[source], JSON: content})
		seen[source]++
	}
	return result, nil
}

// source returns the path of the file that an origin names, or "" for what spec.kustomize adds.
func (b *build) source(file, configuredIn string) string {
	if file == "" {
		file = configuredIn
	}
	name, _ := b.fs.mounts.name(path.Join(b.root, file))
	return name
}

// given returns the document of the parent that an origin is about, or nil.
func (b *build) given(file string) *document {
	var number int
	if _, err := fmt.Sscanf(file, "%d.json", &number); err != nil || b.root != b.fs.mounts.top || number >= len(b.job.Documents) {
		return nil
	}
	return &b.job.Documents[number]
}

// documentsIn counts the documents of a file. A base that is used twice yields each of them twice.
func (b *build) documentsIn(source string) int {
	content := string(b.job.files.files[source])
	count := 0
	for part := range strings.SplitSeq("\n"+content, "\n---") {
		if strings.TrimSpace(part) != "" {
			count++
		}
	}
	if count <= 1 {
		return 1 << 30 // one document, or the items of a List
	}
	return count
}
