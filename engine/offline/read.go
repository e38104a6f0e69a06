// Package offline owns what the classify and score commands do: it reads raw Stripe events from a file, and prints
// signals and scores. It knows neither the bus nor the store, and it prints nothing of an event that signals do not carry.
package offline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Position is where in its input an event stands; both count from 1.
type Position struct{ Event, Line int }

func (p Position) String() string { return fmt.Sprintf("event %d (line %d)", p.Event, p.Line) }

// Problem is an event that could not be used. Its error never quotes the event.
type Problem struct {
	At  Position
	Err error
}

func (p Problem) String() string { return fmt.Sprintf("%s: %v", p.At, p.Err) }

var errNotJSON = errors.New("not valid JSON")

// read calls each with every JSON object of the input: one a line, or pretty-printed over several, or the members of
// an array or of a Stripe list. What is no JSON is a problem, and reading goes on at the next line that begins an object.
func read(r io.Reader, each func(Position, json.RawMessage), bad func(Problem)) error {
	s := splitter{each: each, bad: bad, line: 1}
	lines := bufio.NewReaderSize(r, 64<<10)
	for first := true; ; first = false {
		line, err := lines.ReadBytes('\n')
		if first {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) > 0 && line[0] == '{' && len(s.text) >= s.enough {
			s.take(false)
		}
		s.text = append(s.text, line...)
		if errors.Is(err, io.EOF) {
			s.take(true)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
}

// splitter collects lines until they hold whole values.
type splitter struct {
	each func(Position, json.RawMessage)
	bad  func(Problem)
	text []byte
	// line is that of the text's first byte.
	line   int
	events int
	// enough is how long the text must be to be tried again after it ended within a value: twice as long, so that a long
	// value over many lines is not parsed for each of them.
	enough int
}

// take hands on the values that the text holds and keeps what may be the beginning of one; at the end of the input that
// is a problem too.
func (s *splitter) take(end bool) {
	for s.takeValues(end) {
	}
}

// takeValues reports whether, after a problem, there is more to try.
func (s *splitter) takeValues(end bool) bool {
	decoder := json.NewDecoder(bytes.NewReader(s.text))
	line, counted := s.line, 0
	for {
		var raw json.RawMessage
		done := decoder.InputOffset()
		err := decoder.Decode(&raw)
		space := len(s.text[done:]) - len(bytes.TrimLeft(s.text[done:], " \t\r\n"))
		if err == nil {
			line += bytes.Count(s.text[counted:int(done)+space], []byte("\n"))
			counted = int(done) + space
			s.value(raw, line)
			continue
		}
		s.drop(int(done) + space)
		switch {
		case errors.Is(err, io.EOF):
			return false
		case errors.Is(err, io.ErrUnexpectedEOF) && !end:
			s.enough = 2 * len(s.text)
			return false
		}
		s.events++
		s.bad(Problem{At: Position{s.events, s.line}, Err: errNotJSON})
		next := bytes.Index(s.text, []byte("\n{"))
		if next < 0 {
			s.drop(len(s.text))
			return false
		}
		s.drop(next + 1)
		return true
	}
}

// drop takes bytes off the front of the text.
func (s *splitter) drop(n int) {
	s.line += bytes.Count(s.text[:n], []byte("\n"))
	s.text = append(s.text[:0], s.text[n:]...)
	s.enough = 0
}

// value hands on one value, or each member of an array or list.
func (s *splitter) value(raw json.RawMessage, line int) {
	var members []json.RawMessage
	var list struct {
		Object string            `json:"object"`
		Data   []json.RawMessage `json:"data"`
	}
	switch {
	case raw[0] == '[' && json.Unmarshal(raw, &members) == nil:
	case raw[0] == '{' && json.Unmarshal(raw, &list) == nil && list.Object == "list":
		members = list.Data
	default:
		members = []json.RawMessage{raw}
	}
	for _, member := range members {
		s.events++
		s.each(Position{s.events, line}, member)
	}
}
