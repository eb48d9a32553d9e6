package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	indexFile = "index.yaml"
	// maxVersions bounds an answer about a chart; the newest come first in an index.
	maxVersions = 2000
	// maxWholeIndex bounds an index that must be parsed as a whole: YAML nodes take thirty times its size.
	maxWholeIndex = 8 << 20
)

// chartVersion is one version of a chart as the index of its repository has it.
type chartVersion struct {
	Version string   `msgpack:"version" json:"version" yaml:"version"`
	URLs    []string `msgpack:"urls" json:"urls" yaml:"urls"`
	Digest  string   `msgpack:"digest" json:"digest" yaml:"digest"`
	Removed bool     `msgpack:"-" json:"removed" yaml:"removed"`
}

// index is the part of an index that is about one chart, and the names of all.
type index struct {
	names    []string
	versions []chartVersion
	found    bool
}

// chartVersions answers which versions of a chart a repository has, in the order of its index.
func (j *job) chartVersions() (map[string]any, error) {
	content, given := j.Files[indexFile]
	if !given {
		return nil, newProblem(kindBug, "The parent gave no index.")
	}
	read, err := j.readIndex(content, j.Path)
	if err != nil {
		return nil, err
	}
	if !read.found {
		near, err := j.nearNames(j.Path, read.names)
		if err != nil {
			return nil, err
		}
		return nil, newProblem(kindNoChart, "The index has no chart %s.", cut(j.Path)).in(indexFile).with("names", near)
	}
	versions := make([]chartVersion, 0, min(len(read.versions), maxVersions))
	for _, each := range read.versions {
		if _, err := semver.NewVersion(each.Version); err != nil || each.Removed || len(versions) == maxVersions {
			continue
		}
		each.URLs = append([]string{}, each.URLs...)
		versions = append(versions, each)
	}
	return map[string]any{"versions": versions}, nil
}

// readIndex reads JSON as JSON, and of YAML only the chart's lines where the index is written as Helm writes it.
func (j *job) readIndex(content []byte, name string) (*index, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) && json.Valid(content) {
		return j.jsonIndex(content, name)
	}
	lines, names, err := j.scanIndex(content, name)
	if err != nil {
		return nil, err
	}
	if len(names) > 0 {
		if lines == nil {
			return &index{names: names}, nil
		}
		if read, err := j.yamlIndex(slices.Concat([]byte("entries:\n"), lines), name); err == nil && read.found {
			read.names = names
			return read, nil
		}
	}
	if len(content) > maxWholeIndex {
		return nil, newProblem(kindInvalidIndex, "The index has %d bytes and is not written as Helm writes one; at most %d are read then.", len(content), maxWholeIndex).in(indexFile)
	}
	return j.yamlIndex(content, name)
}

func (j *job) jsonIndex(content []byte, name string) (*index, error) {
	var all struct {
		Entries map[string]json.RawMessage `json:"entries"`
	}
	if err := json.Unmarshal(content, &all); err != nil || all.Entries == nil {
		return nil, newProblem(kindInvalidIndex, "The index has no entries.").in(indexFile)
	}
	result := &index{}
	for each := range all.Entries {
		result.names = append(result.names, each)
	}
	slices.Sort(result.names)
	var entries []json.RawMessage
	raw, found := all.Entries[name]
	if result.found = found; !found {
		return result, nil
	}
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, newProblem(kindInvalidIndex, "The entry of %s is not a list.", cut(name)).in(indexFile)
	}
	for _, entry := range entries {
		var version chartVersion
		if json.Unmarshal(entry, &version) == nil {
			result.versions = append(result.versions, version)
		}
	}
	return result, j.checkTime()
}

func (j *job) yamlIndex(content []byte, name string) (*index, error) {
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(content)).Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, newProblem(kindInvalidIndex, "The index is not YAML.").in(indexFile).at(lineIn(err)).because(err)
	}
	var entries *yaml.Node
	if len(document.Content) == 1 {
		entries = valueOf(document.Content[0], "entries")
	}
	if entries == nil || entries.Kind != yaml.MappingNode {
		return nil, newProblem(kindInvalidIndex, "The index has no entries.").in(indexFile)
	}
	result := &index{}
	for i := 0; i < len(entries.Content); i += 2 {
		result.names = append(result.names, entries.Content[i].Value)
	}
	chart := valueOf(entries, name)
	if result.found = chart != nil; chart == nil {
		return result, nil
	}
	if chart.Kind != yaml.SequenceNode {
		return nil, newProblem(kindInvalidIndex, "The entry of %s is not a list.", cut(name)).in(indexFile).at(chart.Line)
	}
	guard := newYAMLGuard()
	if guard.size(chart, 0); guard.failed != nil {
		guard.failed.kind = kindInvalidIndex
		return nil, guard.failed.in(indexFile)
	}
	for _, entry := range chart.Content {
		if err := j.checkTime(); err != nil {
			return nil, err
		}
		var version chartVersion
		if entry.Decode(&version) == nil {
			result.versions = append(result.versions, version)
		}
	}
	return result, nil
}

// valueOf returns the value of a key in a mapping, or nil.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			value := mapping.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			return value
		}
	}
	return nil
}
