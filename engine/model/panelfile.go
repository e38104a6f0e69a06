package model

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/kustiq/kustiq/engine/scoring"
)

// A panel's file has a header and then a row a line, in JSON. Numbers keep every bit, so that what is found from a file
// is what is found from the panel it was written from.

const fileVersion = 1

type fileHeader struct {
	Panel int       `json:"kustiq_panel"`
	AsOf  time.Time `json:"as_of"`
	Share float64   `json:"share"`
}

type fileRow struct {
	Customer string             `json:"customer"`
	At       time.Time          `json:"at"`
	Offset   float64            `json:"offset"`
	X        map[string]float64 `json:"x,omitempty"`
	LeftAt   *time.Time         `json:"left_at,omitempty"`
}

// Write writes the panel as a file: customers by their Stripe ids, and nothing personal.
func (p *Panel) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	lines := json.NewEncoder(out)
	if err := lines.Encode(fileHeader{Panel: fileVersion, AsOf: time.Unix(p.asOf, 0).UTC(), Share: p.Share}); err != nil {
		return fmt.Errorf("write the panel: %w", err)
	}
	var failed error
	p.each(span{math.MinInt32, math.MaxInt32}, func(r *row, cells []cell) {
		line := fileRow{Customer: p.customers[r.customer], At: timeOf(r.landmark), Offset: r.offset}
		for _, c := range cells {
			if line.X == nil {
				line.X = map[string]float64{}
			}
			line.X[scoring.Coefficients[c.coefficient].Name] = c.value
		}
		if r.left != 0 {
			at := time.Unix(r.left, 0).UTC()
			line.LeftAt = &at
		}
		if failed == nil {
			failed = lines.Encode(line)
		}
	})
	if err := errors.Join(failed, out.Flush()); err != nil {
		return fmt.Errorf("write the panel: %w", err)
	}
	return nil
}

// longestLine bounds a line of a file in bytes; a row has less than a kilobyte.
const longestLine = 64 << 10

// ReadPanel reads what Write has written. Its errors name the line.
func ReadPanel(r io.Reader) (*Panel, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), longestLine)
	var p *Panel
	known := map[string]int32{}
	for number := 1; lines.Scan(); number++ {
		var err error
		if p == nil {
			p, err = readHeader(lines.Bytes())
		} else {
			err = p.readRow(lines.Bytes(), known)
		}
		if err != nil {
			return nil, fmt.Errorf("read the panel: line %d: %w", number, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("read the panel: a line is longer than %d bytes", longestLine)
	case err != nil:
		return nil, fmt.Errorf("read the panel: %w", err)
	case p == nil:
		return nil, errors.New("read the panel: it is empty")
	}
	return p, nil
}

func readHeader(line []byte) (*Panel, error) {
	var h fileHeader
	if json.Unmarshal(line, &h) != nil || h.Panel == 0 || h.AsOf.IsZero() {
		return nil, errors.New(`this is no panel, which begins like {"kustiq_panel":1,"as_of":"2026-01-31T00:00:00Z","share":1}`)
	}
	if h.Panel != fileVersion {
		return nil, fmt.Errorf("the panel is of format %d, and this version reads format %d: make it anew", h.Panel, fileVersion)
	}
	p := NewPanel(h.AsOf)
	p.Share = h.Share
	return p, nil
}

var errRow = errors.New("not a row of a panel")

func (p *Panel) readRow(line []byte, known map[string]int32) error {
	var in fileRow
	if err := json.Unmarshal(line, &in); err != nil {
		return errRow
	}
	at := in.At.Unix()
	switch {
	case in.Customer == "":
		return fmt.Errorf("%w: it names no customer", errRow)
	case at%week != 0:
		return fmt.Errorf("%w: its instant is no landmark, which are seven days apart, on Thursdays at midnight UTC", errRow)
	case at <= 0 || at > p.asOf-outcome:
		return fmt.Errorf("%w: its instant is not 30 days before the panel's", errRow)
	case in.LeftAt != nil && in.LeftAt.Unix() <= at:
		return fmt.Errorf("%w: the customer left before it", errRow)
	}
	for name := range in.X {
		if scoring.CoefficientIndex(name) < 0 {
			return fmt.Errorf("%w: %q is no feature of this version", errRow, name)
		}
	}
	for i, c := range scoring.Coefficients {
		if x := in.X[c.Name]; x != 0 {
			p.cells = append(p.cells, cell{uint8(i), x})
		}
	}
	if _, ok := known[in.Customer]; !ok {
		known[in.Customer] = int32(len(p.customers))
		p.customers = append(p.customers, in.Customer)
	}
	r := row{customer: known[in.Customer], landmark: int32(at / week), offset: in.Offset, cells: len(p.cells)}
	if in.LeftAt != nil {
		r.left = in.LeftAt.Unix()
	}
	p.rows = append(p.rows, r)
	return nil
}
