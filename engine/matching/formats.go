package matching

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvFile reads RFC 4180.
type csvFile struct {
	rows *csv.Reader
	// row bounds what is read for one row: a quotation mark that is never closed would make the rest of the file a field.
	row *budget
	// line is where the last row began.
	line int
	// columns are the places of profile_id, email and domain; the last is -1 when there is none.
	columns [3]int
}

func openCSV(r io.Reader) (*csvFile, error) {
	row := &budget{r: r, left: maxLine}
	buffered := bufio.NewReader(row)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" { // spreadsheets begin a file with it
		_, _ = buffered.Discard(len(mark))
	}
	f := &csvFile{rows: csv.NewReader(buffered), row: row}
	f.rows.ReuseRecord = true
	header, err := f.rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, LineError{1, "the file is empty; a header profile_id,email or profile_id,email,domain is expected"}
	}
	if err != nil {
		return nil, csvError(err)
	}
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.ToLower(strings.TrimSpace(name))
	}
	known := 0
	for i, name := range []string{"profile_id", "email", "domain"} {
		f.columns[i] = slices.Index(names, name)
		if f.columns[i] >= 0 {
			known++
		}
	}
	if f.columns[0] < 0 || f.columns[1] < 0 || known != len(header) {
		return nil, LineError{1, "the header is neither profile_id,email nor profile_id,email,domain"}
	}
	return f, nil
}

func (f *csvFile) next() (p Profile, line int, err error) {
	if f.row.spent {
		return p, 0, io.EOF // what follows is not known to begin a row
	}
	f.row.left = maxLine
	row, err := f.rows.Read()
	if f.row.spent {
		return p, 0, LineError{f.line + 1, fmt.Sprintf("the row that begins here or after it is longer than %d bytes", maxLine)}
	}
	if err != nil {
		return p, 0, csvError(err)
	}
	line, _ = f.rows.FieldPos(0)
	f.line = line
	p = Profile{ID: row[f.columns[0]], Email: row[f.columns[1]]}
	if f.columns[2] >= 0 {
		p.Domain = row[f.columns[2]]
	}
	return p, line, nil
}

// budget reads no more than is left of it.
type budget struct {
	r     io.Reader
	left  int
	spent bool
}

func (b *budget) Read(into []byte) (int, error) {
	if b.left <= 0 {
		b.spent = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(into)
	b.left -= n
	return n, err
}

// csvError leaves out all but the line and the kind.
func csvError(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case !errors.As(err, &parse):
		return fmt.Errorf("read: %w", err)
	case errors.Is(err, csv.ErrFieldCount):
		return LineError{parse.Line, "the line has another number of fields than the header"}
	}
	return LineError{parse.Line, "a quotation mark is out of place"}
}

// ndjsonFile reads one JSON object from each line; empty lines do not count.
type ndjsonFile struct {
	lines *bufio.Scanner
	line  int
	// broken says that the last line was too long: what follows is not known to begin a line.
	broken bool
}

func openNDJSON(r io.Reader) *ndjsonFile {
	f := &ndjsonFile{lines: bufio.NewScanner(r)}
	f.lines.Buffer(nil, maxLine)
	return f
}

func (f *ndjsonFile) next() (p Profile, line int, err error) {
	for f.lines.Scan() {
		f.line++
		if !utf8.Valid(f.lines.Bytes()) {
			return p, f.line, LineError{f.line, "the line is not in UTF-8"}
		}
		text := strings.TrimSpace(strings.TrimPrefix(f.lines.Text(), "\ufeff"))
		if text == "" {
			continue
		}
		var object struct {
			ProfileID string `json:"profile_id"`
			Email     string `json:"email"`
			Domain    string `json:"domain"`
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if decoder.Decode(&object) != nil || decoder.More() { // the cause could quote the line
			return p, f.line, LineError{f.line, "the line is no JSON object of the texts profile_id, email and domain"}
		}
		return Profile{ID: object.ProfileID, Email: object.Email, Domain: object.Domain}, f.line, nil
	}
	switch err := f.lines.Err(); {
	case f.broken:
		return p, 0, io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		f.broken = true
		return p, f.line + 1, LineError{f.line + 1, fmt.Sprintf("the line is longer than %d bytes", maxLine)}
	case err != nil:
		return p, 0, fmt.Errorf("read: %w", err)
	}
	return p, 0, io.EOF
}
