package webhookreceiver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

const (
	// bodiesInFlight bounds the bytes of all bodies that are being read or answered: nothing of them is verified yet.
	bodiesInFlight = 64 << 20
	// usualBody is what is made ready for a body from its announced length alone, and the largest buffer that is kept.
	usualBody = 64 << 10
)

// errCrowded is returned while the bodies of other requests fill the memory that there is for them.
var errCrowded = errors.New("webhookreceiver: too many bodies at once")

// bodies reads requests' bodies. Nothing of one is kept once its request is answered.
type bodies struct {
	left    atomic.Int64
	buffers sync.Pool
}

func newBodies(most int64) *bodies {
	b := &bodies{buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	b.left.Store(most)
	return b
}

// read returns the body of a request, of up to the given number of bytes, and what has to be called once it is done with.
func (b *bodies) read(w http.ResponseWriter, req *http.Request, most int64) (body []byte, done func(), err error) {
	buffer := b.buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	if n := req.ContentLength; n > 0 && n <= most {
		buffer.Grow(int(min(n, usualBody)) + bytes.MinRead) // what ReadFrom wants to have left at the end
	}
	counted := &countedReader{from: http.MaxBytesReader(w, req.Body, most), left: &b.left}
	_, err = buffer.ReadFrom(counted)
	return buffer.Bytes(), func() {
		b.left.Add(counted.read)
		if buffer.Cap() <= 2*usualBody {
			b.buffers.Put(buffer)
		}
	}, err
}

// countedReader takes what it reads from what is left for all.
type countedReader struct {
	from io.Reader
	left *atomic.Int64
	read int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	if c.left.Add(-int64(n)) < 0 {
		return n, errCrowded
	}
	return n, err
}
