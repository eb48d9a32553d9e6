package main

import (
	"bytes"
	"time"
)

// request is what the parent asks: op "configure" once, then op "render".
type request struct {
	ID int64  `msgpack:"id"`
	Op string `msgpack:"op"`

	// configure
	MemoryBytes    int64 `msgpack:"memory_bytes"`
	MaxDocuments   int   `msgpack:"max_documents"`
	MaxOutputBytes int   `msgpack:"max_output_bytes"`

	// render
	Seconds    float64           `msgpack:"seconds"`
	Kind       string            `msgpack:"kind"`
	Path       string            `msgpack:"path"`
	Files      map[string][]byte `msgpack:"files"`
	Folders    []string          `msgpack:"folders"`
	Missing    []string          `msgpack:"missing"`
	Remotes    map[string]string `msgpack:"remotes"`
	Kustomize  *kustomizeSpec    `msgpack:"kustomize"`
	Helm       *helmSpec         `msgpack:"helm"`
	Documents  []document        `msgpack:"documents"`
	Decryption *decryptionSpec   `msgpack:"decryption"`
	Substitute *substituteSpec   `msgpack:"substitute"`
	// Private says that values or variables are from Secrets: a library's text may quote them.
	Private bool `msgpack:"private"`
}

// document is one object, with the file of the repository that a person edits to change it, and which of the
// objects of that file it is.
type document struct {
	_msgpack struct{} `msgpack:",as_array"`
	Source   string
	Index    int
	JSON     []byte
}

// rendered is what a request produced.
type rendered struct {
	Documents []document `msgpack:"documents"`
	// Files that were read; paths that were looked for in vain; folders of which every file counts, so that a new one
	// changes the outcome. Together they say which commits cannot change it.
	Read    []string `msgpack:"read"`
	Looked  []string `msgpack:"looked"`
	Folders []string `msgpack:"folders"`
	Notes   []string `msgpack:"notes"`
}

// limits are set by the parent once and hold for every request.
type limits struct {
	documents   int
	outputBytes int
}

// job is one request on its way: what was asked, the files it may see, its deadline and what it has to say.
type job struct {
	*request
	limits   limits
	files    *tree
	deadline time.Time
	notes    []string
	private  bool     // whether secrets are among the inputs
	keys     *keyring // once parsed
	// files that were decrypted, by path: a walk looks at them before the build does
	decrypted map[string][]byte
	unsteady  map[string]bool   // functions of templates that give another result each time
	beside    map[string]string // where the folders of charts/ lie that are charts elsewhere in the repository
	packed    map[string]packed // the archives of charts that were read, by path
	unpacked  int64             // how many bytes archives were unpacked to
	// how many bytes the files in archives have
	unpackedFiles int64
	fetches       []fetchItem     // what the parent must fetch
	openings      []opening       // what the parent must have opened by key services
	asked         map[string]bool // by the keys of fetches and openings
}

func newJob(asked *request, bounds limits) *job {
	result := &job{
		request: asked, limits: bounds, files: newTree(asked.Files, asked.Folders, asked.Missing), unsteady: map[string]bool{},
		beside: map[string]string{}, packed: map[string]packed{}, asked: map[string]bool{},
		decrypted: map[string][]byte{},
	}
	result.private = asked.Private
	if asked.Seconds > 0 {
		result.deadline = time.Now().Add(time.Duration(asked.Seconds * float64(time.Second)))
		result.files.deadline = result.deadline
	}
	return result
}

// note adds a sentence for the user, once.
func (j *job) note(text string) {
	text = cut(text)
	for _, have := range j.notes {
		if have == text {
			return
		}
	}
	if len(j.notes) < 20 {
		j.notes = append(j.notes, text)
	}
}

// answer does the whole request.
func (j *job) answer() (any, error) {
	if j.Kind == "index" {
		return j.chartVersions()
	}
	return j.render()
}

// render makes the documents. Its error is a needError, a *problem, problems, or a bug.
func (j *job) render() (*rendered, error) {
	if err := j.checkRemotes(); err != nil {
		return nil, err
	}
	var documents []document
	var err error
	switch j.Kind {
	case "kustomize":
		documents, err = j.renderKustomize()
	case "helm":
		documents, err = j.renderHelm()
	case "plain":
		documents, err = j.renderPlain()
	default:
		err = newProblem(kindBug, "The parent asked for the unknown kind %q.", j.Kind)
	}
	// What was looked for and not given comes first: any other error may only follow from it.
	if j.incomplete() {
		return nil, needError{paths: j.files.needed(), items: j.fetches, openings: j.openings}
	}
	if err == nil {
		err = checkDocuments(documents)
	}
	if err == nil {
		documents, err = j.substitute(documents)
	}
	if err != nil {
		return nil, j.withoutSecrets(err)
	}
	if err := j.checkSize(documents); err != nil {
		return nil, err
	}
	return &rendered{
		Documents: documents, Read: j.files.readPaths(), Looked: j.files.lookedPaths(),
		Folders: j.files.listedFolders(), Notes: append([]string{}, j.notes...),
	}, nil
}

// checkSize refuses what would be too much for the parent and for the cluster.
func (j *job) checkSize(documents []document) error {
	if len(documents) > j.limits.documents {
		return newProblem(kindTooManyDocuments, "This renders %d objects; at most %d are applied.",
			len(documents), j.limits.documents)
	}
	size := 0
	for _, document := range documents {
		size += len(document.JSON)
	}
	if size > j.limits.outputBytes {
		return newProblem(kindTooBig, "This renders %d bytes; at most %d are applied.", size, j.limits.outputBytes)
	}
	return nil
}

// checkTime ends a request whose deadline has passed; long work asks between its steps.
func (j *job) checkTime() error { return j.files.checkTime() }

// readable returns a file as its user meant it: decrypted, and safe to parse.
func (j *job) readable(name string) ([]byte, error) {
	content, err := j.files.content(name)
	if err != nil {
		return nil, err
	}
	return j.decoded(name, content)
}

// checkStored refuses a file whose content is not in the repository: what stands for it must not be taken for it.
func checkStored(name string, content []byte) error {
	if bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/")) {
		return newProblem(kindLFSPointer, "The file is a Git LFS pointer, which stands for a file that is not in the repository.").in(name)
	}
	return nil
}

// decoded decrypts a file and checks its content before a library parses it.
func (j *job) decoded(name string, content []byte) ([]byte, error) {
	if err := checkStored(name, content); err != nil {
		return nil, err
	}
	content, err := j.decrypt(name, content)
	if err != nil {
		return nil, err
	}
	if err := checkYAML(content); err != nil {
		return nil, err.in(name)
	}
	return content, nil
}
