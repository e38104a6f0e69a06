package signal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested, as encoding/json does, so that a hostile body cannot use up the stack.
const maxDepth = 10_000

// scanner reads JSON value by value and materialises nothing but what it is asked for. What it skips is validated all
// the same. The first syntax error ends it: whatever is read after that is zero. A value of another type than the one
// asked for is skipped and noted, so that a syntax error behind it is still found.
type scanner struct {
	raw   []byte
	at    int
	depth int
	// syntax is the first syntax error, shape the first value of a wrong type. Neither quotes the input.
	syntax, shape error
}

// span is a part of the input.
type span struct {
	from, to int
	// escaped and beyond say of a string that it has escapes, and bytes beyond ASCII.
	escaped, beyond bool
}

func (s span) empty() bool { return s.from == s.to }

// result is the error of what was read; a syntax error is told before a wrong type.
func (s *scanner) result() error {
	if s.syntax != nil {
		return s.syntax
	}
	return s.shape
}

func (s *scanner) fail() {
	if s.syntax == nil {
		s.syntax = fmt.Errorf("%w at byte %d", ErrNotJSON, s.at)
	}
}

// wrong notes that a value has another type than Stripe documents.
func (s *scanner) wrong() {
	if s.shape == nil {
		s.shape = fmt.Errorf("%w at byte %d", ErrShape, s.at)
	}
}

// peek is the first byte of what comes next; 0 at the end, where no value can begin with it.
func (s *scanner) peek() byte {
	raw, at := s.raw, s.at
	for at < len(raw) && raw[at] <= ' ' && space[raw[at]] {
		at++
		// Stripe indents: spaces come by the dozen.
		for at+8 <= len(raw) && binary.NativeEndian.Uint64(raw[at:]) == eightSpaces {
			at += 8
		}
	}
	s.at = at
	if at == len(raw) {
		return 0
	}
	return raw[at]
}

const eightSpaces = 0x2020202020202020

var space = [256]bool{' ': true, '\n': true, '\t': true, '\r': true}

// end checks that nothing follows.
func (s *scanner) end() {
	if s.peek(); s.at < len(s.raw) {
		s.fail()
	}
}

// expect takes one byte.
func (s *scanner) expect(c byte) {
	if s.peek() != c {
		s.fail()
		return
	}
	s.at++
}

// enter opens an object or an array, unless it is empty.
func (s *scanner) enter(closing byte) bool {
	s.at++
	if s.depth++; s.depth > maxDepth {
		s.fail()
		return false
	}
	if s.peek() == closing {
		s.at++
		s.depth--
		return false
	}
	return s.syntax == nil
}

// more goes on to the next member or element, or closes.
func (s *scanner) more(closing byte) bool {
	if s.syntax != nil {
		return false
	}
	switch s.peek() {
	case ',':
		s.at++
		return true
	case closing:
		s.at++
		s.depth--
	default:
		s.fail()
	}
	return false
}

// opens says whether a value of the kind comes that begins with the byte. null stands for an absent value; anything
// else is of the wrong type. Both are skipped.
func (s *scanner) opens(c byte) bool {
	switch s.peek() {
	case c:
		return true
	case 'n':
	default:
		s.wrong()
	}
	s.skip()
	return false
}

// object calls field with each key of an object; field must read or skip the value. The key is only good until then.
func (s *scanner) object(field func(key []byte)) {
	if !s.opens('{') || !s.enter('}') {
		return
	}
	for {
		key := s.key()
		if s.syntax != nil {
			return
		}
		field(key)
		if !s.more('}') {
			return
		}
	}
}

func (s *scanner) key() []byte {
	if s.peek() != '"' {
		s.fail()
		return nil
	}
	key := s.content(s.token())
	s.expect(':')
	return key
}

// array calls element before each element of an array; element must read or skip it.
func (s *scanner) array(element func()) {
	if !s.opens('[') || !s.enter(']') {
		return
	}
	for {
		element()
		if !s.more(']') {
			return
		}
	}
}

// value skips a value and returns where it is.
func (s *scanner) value() span {
	s.peek()
	from := s.at
	s.skip()
	return span{from: from, to: s.at}
}

// skip validates a value without reading it.
func (s *scanner) skip() {
	if s.syntax != nil {
		return
	}
	switch c := s.peek(); c {
	case '"':
		s.token()
	case '{':
		for open := s.enter('}'); open; open = s.more('}') {
			if s.peek() != '"' {
				s.fail()
				return
			}
			s.token()
			s.expect(':')
			s.skip()
		}
	case '[':
		for open := s.enter(']'); open; open = s.more(']') {
			s.skip()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		s.number()
	}
}

func (s *scanner) literal(word string) {
	if len(s.raw)-s.at < len(word) || string(s.raw[s.at:s.at+len(word)]) != word {
		s.fail()
		return
	}
	s.at += len(word)
}

// number takes a number and says whether it is written as an integer.
func (s *scanner) number() (integer bool) {
	if s.next('-'); !s.next('0') && !s.digits() {
		s.fail()
		return false
	}
	integer = true
	if s.next('.') {
		if integer = false; !s.digits() {
			s.fail()
			return false
		}
	}
	if s.next('e') || s.next('E') {
		integer = false
		if !s.next('+') {
			s.next('-')
		}
		if !s.digits() {
			s.fail()
			return false
		}
	}
	return integer
}

func (s *scanner) next(c byte) bool {
	if s.at < len(s.raw) && s.raw[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	from := s.at
	at := from
	for at < len(s.raw) && s.raw[at]-'0' <= 9 {
		at++
	}
	s.at = at
	return at > from
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (p [256]bool) {
	for c := range p {
		p[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return p
}()

// token takes a string and returns where it is, with its quotes.
func (s *scanner) token() span {
	raw, at := s.raw, s.at+1
	token := span{from: s.at}
	for {
		high := byte(0)
		for at < len(raw) && plain[raw[at]] {
			high |= raw[at]
			at++
		}
		token.beyond = token.beyond || high >= utf8.RuneSelf
		if s.at = at; at == len(raw) {
			break
		}
		if raw[at] == '"' {
			s.at++
			token.to = s.at
			return token
		}
		if token.escaped = true; raw[at] != '\\' || !s.escape() {
			break
		}
		at = s.at + 1
	}
	s.fail()
	return span{}
}

// escape validates an escape sequence and goes to its last byte.
func (s *scanner) escape() bool {
	if s.at++; s.at >= len(s.raw) {
		return false
	}
	switch s.raw[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if s.at++; s.at >= len(s.raw) || !isHex(s.raw[s.at]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(c byte) bool { return c-'0' <= 9 || (c|0x20)-'a' <= 5 }

// content is what a string token stands for: a part of the input, unless it has escapes or is no valid UTF-8.
func (s *scanner) content(token span) []byte {
	if token.empty() {
		return nil
	}
	inner := s.raw[token.from+1 : token.to-1]
	if token.escaped || (token.beyond && !utf8.Valid(inner)) {
		return unquoted(s.raw[token.from:token.to])
	}
	return inner
}

// unquoted resolves escapes, and puts U+FFFD in place of what is no character.
func unquoted(token []byte) []byte {
	var text string
	_ = json.Unmarshal(token, &text) // the token is known to be a string
	return []byte(text)
}
