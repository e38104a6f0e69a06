package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Sighting is a mark that was found.
type Sighting struct {
	Kind   Kind
	Mark   string
	Shape  string
	Offset int
	// Around is what stands there, for a person to read.
	Around string
}

func (s Sighting) String() string {
	return fmt.Sprintf("%s (%s, %s) at byte %d: %q", s.Kind, s.Mark, s.Shape, s.Offset, s.Around)
}

// needle is one shape of one mark, its ASCII letters in lower case.
type needle struct {
	text  []byte
	mark  Mark
	shape string
}

// headLength is how much of a needle is looked up before it is compared.
const headLength = 4

// index finds needles by how they begin.
type index struct {
	// heads says by two bytes whether any needle begins so, which most text does not.
	heads   [1 << 16]bool
	needles map[[headLength]byte][]needle
}

// Finder looks for marks in bytes of any kind: text, JSON, databases.
type Finder struct {
	// asIs is looked for in the bytes in lower case, squeezed in those without separators.
	asIs, squeezed index
}

// NewFinder finds marks of the kinds, or of all without any, in these shapes: as they are, JSON-escaped, URL-encoded, in
// base64 at any offset, in hexadecimal, and with or without spaces, dashes and the like between the characters; each
// in upper, lower or its own case.
func NewFinder(kinds ...Kind) *Finder {
	wanted := map[Kind]bool{}
	for _, kind := range kinds {
		wanted[kind] = true
	}
	f := &Finder{}
	for _, mark := range Marks() {
		if len(kinds) > 0 && !wanted[mark.Kind] {
			continue
		}
		for _, n := range shapes(mark) {
			f.asIs.add(n)
		}
		for _, text := range written(mark) {
			f.squeezed.add(needle{squeeze(lower([]byte(text))), mark, "squeezed"})
		}
	}
	return f
}

// shapes are a mark's needles, the plain ones first: where several are alike, the first is kept.
func shapes(mark Mark) (needles []needle) {
	add := func(shape string, texts ...string) {
		for _, text := range texts {
			needles = append(needles, needle{lower([]byte(text)), mark, shape})
		}
	}
	for _, text := range written(mark) {
		add("plain", text)
		add("JSON-escaped", inJSON(text), inASCII(text), inJSON(inJSON(text)), strings.ReplaceAll(inJSON(text), "/", `\/`), everyEscape(text))
		add("URL-encoded", url.QueryEscape(text), url.PathEscape(text), everyPercent(text))
		add("hex", hex.EncodeToString([]byte(text)))
		add("base64", inBase64(text)...)
	}
	return needles
}

// written are the ways to write a mark down. Case matters here although it does not in the codes: that of what is encoded
// changes the letters of a code, and not only their case.
func written(mark Mark) []string {
	return append([]string{mark.Text, strings.ToLower(mark.Text), strings.ToUpper(mark.Text)}, mark.Grouped...)
}

func inJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return text // no string fails
	}
	return string(quoted[1 : len(quoted)-1])
}

// inASCII escapes what is not ASCII, as many writers of JSON do.
func inASCII(text string) string {
	var out strings.Builder
	for _, r := range inJSON(text) {
		if r < 0x80 {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

func everyEscape(text string) string {
	var out strings.Builder
	for _, r := range text {
		fmt.Fprintf(&out, `\u%04x`, r)
	}
	return out.String()
}

func everyPercent(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&out, "%%%02x", b)
	}
	return out.String()
}

// inBase64 is what a text becomes within a longer one: three codes, by where it begins, without the letters at the ends,
// which depend on its neighbours.
func inBase64(text string) []string {
	var out []string
	for shift := range 3 {
		padded := append(make([]byte, shift), text...)
		first := (shift*8 + 5) / 6 // the first letter that has bits of the text only
		last := len(padded) * 8 / 6
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			out = append(out, encoding.EncodeToString(padded)[first:last])
		}
	}
	return out
}

// separators are what numbers and words are taken apart by.
const separators = " \t-_./()+"

var isSeparator = func() (is [256]bool) {
	for _, b := range []byte(separators) {
		is[b] = true
	}
	return is
}()

func squeeze(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for _, b := range text {
		if !isSeparator[b] {
			out = append(out, b)
		}
	}
	return out
}

func (x *index) add(n needle) {
	if x.needles == nil {
		x.needles = map[[headLength]byte][]needle{}
	}
	head := [headLength]byte(n.text)
	for _, known := range x.needles[head] {
		if bytes.Equal(known.text, n.text) {
			return
		}
	}
	x.heads[int(head[0])<<8|int(head[1])] = true
	x.needles[head] = append(x.needles[head], n)
}

// lower changes ASCII letters only: bytes.ToLower reads UTF-8, and would change bytes that are no text.
func lower(text []byte) []byte {
	out := bytes.Clone(text)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// maxSightings is enough for a person to see what is going on.
const maxSightings = 20

// Find returns the first marks in b, and nothing when there are none.
func (f *Finder) Find(b []byte) (found []Sighting) {
	f.find(b, func(s Sighting) bool {
		found = append(found, s)
		return len(found) < maxSightings
	})
	return found
}

// Kinds counts all marks in b by their kind.
func (f *Finder) Kinds(b []byte) map[Kind]int {
	kinds := map[Kind]int{}
	f.find(b, func(s Sighting) bool {
		kinds[s.Kind]++
		return true
	})
	return kinds
}

// find calls visit until it returns false.
func (f *Finder) find(b []byte, visit func(Sighting) bool) {
	b = lower(b)
	if f.asIs.find(b, visit) {
		f.squeezed.find(squeeze(b), visit)
	}
}

func (x *index) find(b []byte, visit func(Sighting) bool) (goOn bool) {
	for i := 0; i+headLength <= len(b); i++ {
		if !x.heads[int(b[i])<<8|int(b[i+1])] {
			continue
		}
		for _, n := range x.needles[[headLength]byte(b[i:])] {
			if !bytes.HasPrefix(b[i:], n.text) {
				continue
			}
			around := b[max(0, i-20):min(len(b), i+len(n.text)+20)]
			if !visit(Sighting{n.mark.Kind, n.mark.Text, n.shape, i, string(around)}) {
				return false
			}
		}
	}
	return true
}
