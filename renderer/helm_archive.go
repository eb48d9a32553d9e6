package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// maxUnpacked bounds what the archives of one request are unpacked to, those in archives included.
const maxUnpacked = 2 * maxArchive

// packed is the content of an archive, by the paths in it.
type packed map[string][]byte

// isArchive reports whether a chart is a fetched archive. A folder of the user's may end in .tgz.
func isArchive(chart string) bool { return remoteRoot(chart) != "" && strings.HasSuffix(chart, ".tgz") }

// archiveFiles returns the files of a fetched archive.
func (j *job) archiveFiles(name string) ([]*archive.BufferedFile, error) {
	switch j.files.state(name) {
	case unknown:
		return nil, errWanted
	case absent, isFolder:
		return nil, newProblem(kindMissingFile, "The archive of the chart does not exist.").in(name).with("missing", name)
	}
	content, err := j.files.content(name)
	if err != nil {
		return nil, err
	}
	if err := j.measure(content, name); err != nil {
		return nil, err
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(content))
	if err != nil {
		return nil, newProblem(kindInvalidChart, "The archive of the chart cannot be unpacked.").in(name).because(err)
	}
	inside := packed{}
	for _, file := range files {
		inside[file.Name] = file.Data
	}
	j.packed[name] = inside
	if err := checkYAML(inside["values.yaml"]); err != nil {
		return nil, err.in(path.Join(name, "values.yaml"))
	}
	return files, nil
}

// measure refuses an archive that would unpack to more than memory has. Helm bounds each archive; many small ones in one
// archive, or files without content, get past that.
func (j *job) measure(content []byte, name string) error {
	err := j.unpackedSize(content, 0)
	if timeout := j.checkTime(); timeout != nil {
		return timeout
	}
	if errors.Is(err, errUnpacked) {
		return newProblem(kindInvalidChart, "The archives of the chart unpack to more than %d bytes.", maxUnpacked).in(name)
	}
	return err
}

var errUnpacked = errors.New("the archives unpack to too much")

// unpackedSize counts what is unpacked. What is not an archive passes: Helm says what is wrong with it.
func (j *job) unpackedSize(content []byte, depth int) error {
	if depth > maxChartDepth {
		return errUnpacked
	}
	stream, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil
	}
	reader := tar.NewReader(&countedReader{job: j, from: stream})
	for {
		header, err := reader.Next()
		if errors.Is(err, errUnpacked) {
			return errUnpacked
		}
		if err != nil {
			return nil
		}
		// A sparse file is bigger than its bytes in the archive, which the reader counts.
		if j.unpackedFiles += min(header.Size, maxUnpacked+1); j.unpackedFiles > maxUnpacked {
			return errUnpacked
		}
		if !strings.HasSuffix(path.Clean(strings.ReplaceAll(header.Name, `\`, "/")), ".tgz") {
			continue
		}
		inner, err := io.ReadAll(reader)
		if errors.Is(err, errUnpacked) {
			return errUnpacked
		}
		if err := j.unpackedSize(inner, depth+1); err != nil {
			return err
		}
	}
}

// countedReader adds what is read through it to what the job has unpacked, and ends at the limit.
type countedReader struct {
	job  *job
	from io.Reader
}

func (r *countedReader) Read(buffer []byte) (int, error) {
	count, err := r.from.Read(buffer)
	r.job.unpacked += int64(count)
	if r.job.unpacked > maxUnpacked || r.job.checkTime() != nil {
		return count, errUnpacked
	}
	return count, err
}
