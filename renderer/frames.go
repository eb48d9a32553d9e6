package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"
)

// maxFrame is the limit of both sides, as in src/nopea/git/protocol.py.
const maxFrame = 64 << 20

var errFrameTooBig = errors.New("a frame is over the limit")

// readFrame returns the body of the next frame, or io.EOF where the stream ends between two frames. The memory is
// taken as the bytes arrive: a length that lies costs nothing.
func readFrame(in *bufio.Reader) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(prefix[:])
	if size > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", errFrameTooBig, size, maxFrame)
	}
	body, err := io.ReadAll(io.LimitReader(in, int64(size)))
	if err == nil && len(body) < int(size) {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}

// encodeFrame returns a message as a frame; errFrameTooBig over the limit.
func encodeFrame(message any) ([]byte, error) {
	body, err := msgpack.Marshal(message)
	if err != nil {
		return nil, err
	}
	if len(body) > maxFrame {
		return nil, fmt.Errorf("%w: %d bytes of at most %d", errFrameTooBig, len(body), maxFrame)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, len(body)+4), uint32(len(body))), body...), nil
}
