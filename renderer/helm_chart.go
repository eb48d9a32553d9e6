package main

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
)

// maxChartDepth bounds how far charts may depend on charts beside them.
const maxChartDepth = 10

// loadChart loads a chart from its folder or its fetched archive, with the dependencies in its charts/, those that lie
// elsewhere in the repository (`repository: file://../common`) and those that were fetched.
func (j *job) loadChart(folder string) (*chart.Chart, error) { return j.loadChartAt(folder, 0) }

func (j *job) loadChartAt(folder string, depth int) (*chart.Chart, error) {
	if depth > maxChartDepth {
		return nil, newProblem(kindCycle, "Charts depend on each other more than %d deep.", maxChartDepth).in(path.Join(folder, "Chart.yaml"))
	}
	files, err := j.filesOf(folder)
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

// filesOf returns the files of a chart, which is an archive or a folder.
func (j *job) filesOf(chart string) ([]*archive.BufferedFile, error) {
	if isArchive(chart) {
		return j.archiveFiles(chart)
	}
	if !j.files.wantFolder(chart) {
		return nil, errWanted
	}
	return j.chartFiles(chart)
}

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
		if parsed.MatchString(relative) {
			if err := checkStored(name, content); err != nil {
				return nil, err
			}
		}
		if strings.HasSuffix(name, ".tgz") {
			if err := j.measure(content, name); err != nil {
				return nil, err
			}
		}
		content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
		result = append(result, &archive.BufferedFile{Name: relative, Data: content})
	}
	return result, nil
}

// parsed are the files of a chart that Helm reads itself, whatever its templates do.
var parsed = regexp.MustCompile(`^(?:Chart\.yaml|values\.schema\.json|templates/.*|crds/.*|charts/.*\.tgz)$`)

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
