package main

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/ignore"
)

// maxChartDepth bounds how far charts may depend on charts beside them.
const maxChartDepth = 10

// loadChart loads a chart from its folder, with the dependencies in its charts/ and those that lie elsewhere in the
// repository (`repository: file://../common`). What must come from outside is named.
func (j *job) loadChart(folder string) (*chart.Chart, error) { return j.loadChartAt(folder, 0) }

func (j *job) loadChartAt(folder string, depth int) (*chart.Chart, error) {
	if depth > maxChartDepth {
		return nil, newProblem(kindCycle, "Charts depend on each other more than %d deep.", maxChartDepth).in(path.Join(folder, "Chart.yaml"))
	}
	if !j.files.wantFolder(folder) {
		return nil, errWanted
	}
	files, err := j.chartFiles(folder)
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, invalidChart(folder, err)
	}
	if kind := loaded.Metadata.Type; kind != "" && kind != "application" && depth == 0 {
		return nil, newProblem(kindInvalidChart, "A chart of type %s cannot be installed.", kind).in(path.Join(folder, "Chart.yaml"))
	}
	return loaded, j.addDependencies(loaded, folder, depth)
}

// errWanted ends a request whose files must be asked for; the tree knows which.
var errWanted = needError{}

// chartFiles returns the files of a chart's folder as Helm reads them from a disk.
func (j *job) chartFiles(folder string) ([]*archive.BufferedFile, error) {
	rules, err := ignore.Parse(bytes.NewReader(j.files.files[path.Join(folder, ignore.HelmIgnore)]))
	if err != nil {
		return nil, newProblem(kindInvalidChart, "The file of patterns cannot be read.").in(path.Join(folder, ignore.HelmIgnore)).because(err)
	}
	rules.AddDefaults()
	var result []*archive.BufferedFile
	for _, name := range j.files.below(folder) {
		relative := strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
		// What the parent gives beside the repository's files, such as a key of a Secret, is no file of the chart.
		if ignored(rules, relative) || (folder == "" && fromCluster(name)) {
			continue
		}
		// Only values are decrypted, or refused: a folder of a chart may have other encrypted files that its templates do
		// not read.
		read := j.files.content
		if path.Base(name) == "values.yaml" {
			read = j.readable
		}
		content, err := read(name)
		if err != nil {
			return nil, err
		}
		if int64(len(content)) > archive.MaxDecompressedFileSize {
			return nil, newProblem(kindInvalidChart, "A file of a chart may have %d bytes at most.", archive.MaxDecompressedFileSize).in(name)
		}
		content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
		result = append(result, &archive.BufferedFile{Name: relative, Data: content})
	}
	return result, nil
}

// ignored applies .helmignore to a file and to each folder above it, as a walk over a disk would.
func ignored(rules *ignore.Rules, name string) bool {
	for i, letter := range name {
		if letter == '/' && rules.Ignore(name[:i], entry{name: path.Base(name[:i]), mode: fs.ModeDir}) {
			return true
		}
	}
	return rules.Ignore(name, entry{name: path.Base(name)})
}

// entry is a file or folder as .helmignore's rules look at it.
type entry struct {
	name string
	mode fs.FileMode
}

func (e entry) Name() string       { return e.name }
func (e entry) Size() int64        { return 0 }
func (e entry) Mode() fs.FileMode  { return e.mode }
func (e entry) ModTime() time.Time { return time.Time{} }
func (e entry) IsDir() bool        { return e.mode.IsDir() }
func (e entry) Sys() any           { return nil }

// addDependencies adds what Chart.yaml names and charts/ lacks from folders of the repository.
func (j *job) addDependencies(loaded *chart.Chart, folder string, depth int) error {
	have := map[string]bool{}
	for _, dependency := range loaded.Dependencies() {
		have[dependency.Name()] = true
	}
	var missing []map[string]string
	for _, wanted := range loaded.Metadata.Dependencies {
		if have[wanted.Name] {
			continue
		}
		reference, local := strings.CutPrefix(wanted.Repository, "file://")
		if !local {
			missing = append(missing, map[string]string{"name": wanted.Name, "version": wanted.Version, "repository": wanted.Repository})
			continue
		}
		beside, inside := joined(folder, reference)
		if !inside {
			return newProblem(kindOutside, "%s leaves the repository.", wanted.Repository).in(path.Join(folder, "Chart.yaml"))
		}
		dependency, err := j.loadChartAt(beside, depth+1)
		if err != nil {
			return err
		}
		if !chartutil.IsCompatibleRange(wanted.Version, dependency.Metadata.Version) {
			return newProblem(kindMissingDependency, "The chart needs %s %s; %s has %s.",
				wanted.Name, wanted.Version, shown(beside), dependency.Metadata.Version).in(path.Join(folder, "Chart.yaml"))
		}
		have[wanted.Name] = true
		loaded.AddDependency(dependency)
		for _, name := range []string{wanted.Name, wanted.Alias} {
			j.beside[path.Join(folder, "charts", name)] = beside
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, len(missing))
	for i, each := range missing {
		names[i] = each["name"]
	}
	return newProblem(kindMissingDependency, "charts/ lacks the dependencies %s.", strings.Join(names, ", ")).
		in(path.Join(folder, "Chart.yaml")).with("names", names).with("dependencies", missing)
}
