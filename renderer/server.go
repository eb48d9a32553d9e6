package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// server answers the requests of one parent. Requests run side by side and answers come in any order.
type server struct {
	in     *bufio.Reader
	out    io.Writer
	writes sync.Mutex
	limits limits
}

func newServer(in io.Reader, out io.Writer) *server {
	return &server{in: bufio.NewReaderSize(in, 1<<16), out: out}
}

// run serves until the parent closes the stream, which is how it says that the child is to end. What is being rendered
// then has nobody to answer to. An error means that the stream cannot be used any further.
func (s *server) run() error {
	for {
		body, err := readFrame(s.in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		asked := new(request)
		if err := msgpack.Unmarshal(body, asked); err != nil {
			return fmt.Errorf("a frame holds no request: %w", err)
		}
		if asked.Op == "configure" {
			s.configure(asked)
			continue
		}
		go s.serve(asked)
	}
}

func (s *server) configure(asked *request) {
	if asked.MemoryBytes > 0 {
		debug.SetMemoryLimit(asked.MemoryBytes)
	}
	// The first overlay need not wait for it.
	go func() {
		schema.Lock()
		defer schema.Unlock()
		loadSchema()
	}()
	s.limits = limits{documents: asked.MaxDocuments, outputBytes: asked.MaxOutputBytes}
	s.answer(asked.ID, map[string]any{"ok": map[string]any{"version": version()}})
}

// serve answers one request, whatever happens in it. What Go cannot recover from (a stack or memory that is used up)
// ends the process; the parent then repeats the others elsewhere.
func (s *server) serve(asked *request) {
	defer func() {
		if panicked := recover(); panicked != nil {
			bug := newProblem(kindBug, "The renderer crashed on this input.")
			if !asked.Private && asked.Decryption == nil {
				bug.because(fmt.Errorf("%v", panicked))
			}
			s.answer(asked.ID, map[string]any{"err": bug.encoded()})
		}
	}()
	result, err := newJob(asked, s.limits).answer()
	if err != nil {
		s.answer(asked.ID, answerError(err))
		return
	}
	s.answer(asked.ID, map[string]any{"ok": result})
}

func (s *server) answer(id int64, fields map[string]any) {
	message := map[string]any{"id": id}
	maps.Copy(message, fields)
	frame, err := encodeFrame(message)
	if err != nil {
		tooBig := newProblem(kindTooBig, "The answer is over %d bytes.", maxFrame)
		frame, _ = encodeFrame(map[string]any{"id": id, "err": tooBig.encoded()})
	}
	s.writes.Lock()
	defer s.writes.Unlock()
	// A parent that is gone closes standard input too: run ends then.
	_, _ = s.out.Write(frame)
}
