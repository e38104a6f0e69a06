package stripeapi

import (
	"bytes"
	"encoding/json"
)

// A page of expanded charges is about a MiB, and encoding/json would go over it several times. This takes a list apart in
// one pass. Whether the objects in it are what they should be is for their reader to say.

// splitPage returns the objects of a list and whether there are more; false when it is no list.
func splitPage(raw []byte) (items []json.RawMessage, more, ok bool) {
	s := splitter{raw: raw}
	isList := false
	ok = s.members('{', '}', func() bool {
		key, fine := s.key()
		if !fine {
			return false
		}
		switch {
		case string(key) == "data" && s.peek() == '[':
			return s.members('[', ']', func() bool {
				value, fine := s.value()
				items = append(items, value)
				return fine
			})
		default:
			value, fine := s.value()
			switch string(key) {
			case "object":
				isList = string(value) == `"list"`
			case "has_more":
				more = string(value) == "true"
			}
			return fine
		}
	})
	s.space()
	return items, more, ok && isList && s.at == len(raw)
}

type splitter struct {
	raw []byte
	at  int
}

func (s *splitter) space() {
	for s.at < len(s.raw) && (s.raw[s.at] == ' ' || s.raw[s.at] == '\n' || s.raw[s.at] == '\t' || s.raw[s.at] == '\r') {
		s.at++
	}
}

// peek is the next byte that is no space; 0 at the end.
func (s *splitter) peek() byte {
	s.space()
	if s.at == len(s.raw) {
		return 0
	}
	return s.raw[s.at]
}

func (s *splitter) take(c byte) bool {
	if s.peek() != c || s.at == len(s.raw) {
		return false
	}
	s.at++
	return true
}

// members calls one for each member between two brackets.
func (s *splitter) members(open, end byte, one func() bool) bool {
	if !s.take(open) {
		return false
	}
	if s.take(end) {
		return true
	}
	for one() {
		if s.take(end) {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
	return false
}

func (s *splitter) key() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, false
	}
	from := s.at
	if !s.text() || !s.take(':') {
		return nil, false
	}
	return bytes.Trim(s.raw[from:bytes.LastIndexByte(s.raw[:s.at], '"')+1], `"`), true
}

// text passes a string.
func (s *splitter) text() bool {
	for at := s.at + 1; at < len(s.raw); at++ {
		quote := bytes.IndexByte(s.raw[at:], '"')
		if quote < 0 {
			return false
		}
		at += quote
		escapes := 0
		for s.raw[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			s.at = at + 1
			return true
		}
	}
	return false
}

// value passes any value and returns it.
func (s *splitter) value() (json.RawMessage, bool) {
	s.space()
	from, depth := s.at, 0
	for s.at < len(s.raw) {
		switch s.raw[s.at] {
		case '"':
			if !s.text() {
				return nil, false
			}
			if depth == 0 {
				return s.raw[from:s.at], true
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at++
				return s.raw[from:s.at], true
			}
			if depth < 0 {
				return s.raw[from:s.at], s.at > from
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return s.raw[from:s.at], s.at > from
			}
		}
		s.at++
	}
	return s.raw[from:s.at], depth == 0 && s.at > from
}
