package matching

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format of a file of profiles.
type Format string

// The formats of an import.
const (
	// CSV has a header that names profile_id, email and, if there is one, domain.
	CSV Format = "csv"
	// NDJSON has an object of the same fields in each line.
	NDJSON Format = "ndjson"
)

const (
	// maxProfiles bounds one import.
	maxProfiles = 10_000_000
	// maxFile bounds one file, in bytes.
	maxFile = 2 << 30
	// maxLine bounds one line, in bytes.
	maxLine = 64 << 10
	// maxField bounds one field, in bytes: an e-mail address has 254 at most (RFC 5321), a domain 253.
	maxField = 255
)

// LineError says what is wrong with a line of an import, in words that quote nothing of it.
type LineError struct {
	// Line is counted from 1, the header included.
	Line    int
	Problem string
}

func (e LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// profileFile reads one profile after the other, with the line where it begins. It returns io.EOF after the last one. A
// LineError concerns one line only; after any other error nothing more can be read.
type profileFile interface {
	next() (p Profile, line int, err error)
}

// ErrTooLarge says that a file has more than is imported at once.
var ErrTooLarge = errors.New("import it in several parts")

// Reader reads a file of profiles, one after the other, in memory that does not grow with the file.
type Reader struct {
	file  profileFile
	bytes *io.LimitedReader
	read  int
}

// NewReader begins to read. It fails with a LineError when the header is at fault.
func NewReader(r io.Reader, format Format) (*Reader, error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	file, err := open(limited, format)
	if err != nil {
		return nil, err
	}
	return &Reader{file: file, bytes: limited}, nil
}

// Next returns the next profile and the line where it begins, and io.EOF after the last one. A LineError concerns one line
// only; after any other error nothing more can be read. Whether an id comes twice is for the caller to know.
func (r *Reader) Next() (p Profile, line int, err error) {
	p, line, err = r.file.next()
	if r.bytes.N == 0 { // the line that it ends in the middle of is no problem of its own
		return p, 0, fmt.Errorf("the file is larger than %d GiB: %w", maxFile>>30, ErrTooLarge)
	}
	if err == nil {
		err = checkProfile(&p, line)
	}
	if err == nil {
		if r.read++; r.read > maxProfiles {
			return p, 0, fmt.Errorf("the file has more than %d profiles: %w", maxProfiles, ErrTooLarge)
		}
	}
	return p, line, err
}

func open(r io.Reader, format Format) (profileFile, error) {
	switch format {
	case CSV:
		return openCSV(r)
	case NDJSON:
		return openNDJSON(r), nil
	}
	return nil, errors.New("the format is neither csv nor ndjson")
}

// checkProfile trims the fields and says what is wrong with them.
func checkProfile(p *Profile, line int) error {
	for _, field := range []*string{&p.ID, &p.Email, &p.Domain} {
		*field = strings.TrimSpace(*field)
		switch {
		case !utf8.ValidString(*field):
			return LineError{line, "a field is not in UTF-8"}
		case len(*field) > maxField:
			return LineError{line, fmt.Sprintf("a field is longer than %d bytes", maxField)}
		case strings.ContainsFunc(*field, unicode.IsControl):
			return LineError{line, "a field has a control character"}
		}
	}
	switch {
	case p.ID == "":
		return LineError{line, "profile_id is empty"}
	case p.Email != "" && !IsAddress(p.Email):
		return LineError{line, "email is no e-mail address"}
	case p.Domain != "" && !IsDomain(p.Domain):
		return LineError{line, "domain is no domain name"}
	}
	return nil
}
