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
	// maxProfiles bounds one import: other writers of an embedded store wait for its one transaction. More profiles come
	// in several files.
	maxProfiles = 100_000
	// maxFile bounds one file, in bytes.
	maxFile = 64 << 20
	// maxLine bounds one line of NDJSON, in bytes.
	maxLine = 64 << 10
	// maxField bounds one field, in bytes: an e-mail address has 254 at most (RFC 5321), a domain 253.
	maxField = 255
	// maxProblems is how many lines at fault are told at once.
	maxProblems = 20
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

// Read reads a file of profiles. When any line is at fault it returns none of them, and an error that holds a LineError
// for each line, the first 20 at most.
func Read(r io.Reader, format Format) ([]Profile, error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	file, err := open(limited, format)
	if err != nil {
		return nil, err
	}
	profiles, err := readAll(file)
	switch {
	case limited.N == 0: // the line that it ends in the middle of is no problem of its own
		return nil, fmt.Errorf("the file is larger than %d MiB; import it in several parts", maxFile>>20)
	case err != nil:
		return nil, err
	case len(profiles) == 0:
		return nil, errors.New("the file has no profiles")
	}
	return profiles, nil
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

func readAll(file profileFile) (profiles []Profile, err error) {
	lines := map[string]int{}
	var problems []error
	for len(problems) < maxProblems {
		p, line, err := file.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = checkProfile(&p, line, lines)
		}
		var atFault LineError
		switch {
		case errors.As(err, &atFault):
			problems = append(problems, err)
		case err != nil:
			return nil, err
		case len(profiles) == maxProfiles:
			return nil, LineError{line, fmt.Sprintf("more than %d profiles; import them in several files", maxProfiles)}
		}
		profiles = append(profiles, p)
	}
	return profiles, errors.Join(problems...)
}

// checkProfile trims the fields, says what is wrong with them, and remembers the profile's line.
func checkProfile(p *Profile, line int, lines map[string]int) error {
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
	case lines[p.ID] > 0:
		return LineError{line, fmt.Sprintf("profile_id is that of line %d", lines[p.ID])}
	}
	lines[p.ID] = line
	return nil
}
