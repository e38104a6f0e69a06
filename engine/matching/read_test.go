package matching

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	. "github.com/onsi/gomega"
)

func TestRead(t *testing.T) {
	ada := Profile{ID: "p1", Email: "ada@lovelace.example"}
	named := Profile{ID: "p2", Email: "bob@gmail.com", Domain: "bob.example"}
	for name, c := range map[string]struct {
		format Format
		text   string
		want   []Profile
	}{
		"csv":                {CSV, "profile_id,email\np1,ada@lovelace.example\n", []Profile{ada}},
		"csv with domains":   {CSV, "profile_id,email,domain\np1,ada@lovelace.example,\np2,bob@gmail.com,bob.example", []Profile{ada, named}},
		"columns and quotes": {CSV, "\ufeffDomain, EMAIL ,\"profile_id\"\r\n\"bob.example\",bob@gmail.com, p2 \r\n", []Profile{named}},
		"only an id":         {CSV, "profile_id,email\np1,\n", []Profile{{ID: "p1"}}},
		"ndjson": {NDJSON, `{"profile_id":"p1","email":"ada@lovelace.example"}

			{"domain":"bob.example","email":"bob@gmail.com","profile_id":"p2"}`, []Profile{ada, named}},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got, err := readAll(strings.NewReader(c.text), c.format)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(c.want))
		})
	}
}

// TestReadErrors names the line and the fault, and never repeats what the file says.
func TestReadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		text   string
		want   string
	}{
		"no header":           {CSV, "", "line 1: the file is empty"},
		"another header":      {CSV, "profile_id,canary\n", "line 1: the header is neither"},
		"a column twice":      {CSV, "profile_id,email,email\n", "line 1: the header is neither"},
		"too few fields":      {CSV, "profile_id,email\np1,a@b.example\ncanary\n", "line 3: the line has another number of fields"},
		"a quotation mark":    {CSV, "profile_id,email\np1,\"canary\"x\n", "line 2: a quotation mark is out of place"},
		"an open one":         {CSV, "profile_id,email\np1,\"canary\nx\n", "a quotation mark is out of place"},
		"no id":               {CSV, "profile_id,email\n \t,canary@b.example\n", "line 2: profile_id is empty"},
		"no address":          {CSV, "profile_id,email\np1,a@b.example\np2,canary\n", "line 3: email is no e-mail address"},
		"no domain":           {CSV, "profile_id,email,domain\np1,,https://canary.example\n", "line 2: domain is no domain name"},
		"not in UTF-8":        {CSV, "profile_id,email\ncanary\xff,a@b.example\n", "line 2: a field is not in UTF-8"},
		"too long a field":    {CSV, "profile_id,email\ncanary" + strings.Repeat("x", 255) + ",\n", "line 2: a field is longer than 255 bytes"},
		"control character":   {CSV, "profile_id,email\n\"canary\x00\",\n", "line 2: a field has a control character"},
		"a mark never closed": {CSV, "profile_id,email\np1,a@b.example\n\"canary" + strings.Repeat("x\n", maxLine), "line 3: the row that begins here or after it is longer"},
		"no JSON":             {NDJSON, "{\"profile_id\":\"p1\"}\ncanary\n", "line 2: the line is no JSON object"},
		"no object":           {NDJSON, "\"canary\"\n", "line 1: the line is no JSON object"},
		"two objects":         {NDJSON, `{"profile_id":"p1"} {"profile_id":"canary"}`, "line 1: the line is no JSON object"},
		"a number":            {NDJSON, `{"profile_id":7,"email":"canary@b.example"}`, "line 1: the line is no JSON object"},
		"another field":       {NDJSON, `{"profile_id":"p1","canary":""}`, "line 1: the line is no JSON object"},
		"JSON not in UTF-8":   {NDJSON, "{\"profile_id\":\"canary\xff\"}", "line 1: the line is not in UTF-8"},
		"too long a line":     {NDJSON, "{\"profile_id\":\"p1\"}\n\"canary" + strings.Repeat("x", maxLine), "line 2: the line is longer"},
		"another format":      {"canary", "", "neither csv nor ndjson"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			profiles, err := readAll(strings.NewReader(c.text), c.format)
			g.Expect(profiles).To(BeNil())
			g.Expect(err).To(MatchError(ContainSubstring(c.want)))
			g.Expect(err.Error()).NotTo(ContainSubstring("canary"))
		})
	}
}

// readAll reads profiles until the end or the first fault.
func readAll(r io.Reader, format Format) (all []Profile, err error) {
	reader, err := NewReader(r, format)
	for err == nil {
		var p Profile
		if p, _, err = reader.Next(); err == nil {
			all = append(all, p)
		}
	}
	if errors.Is(err, io.EOF) {
		return all, nil
	}
	return nil, err
}

// endless is a file of empty lines.
type endless struct{}

func (endless) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	into[len(into)-1] = '\n'
	return len(into), nil
}

func TestReadGoesOnAfterALineAtFault(t *testing.T) {
	g := NewWithT(t)
	for format, text := range map[Format]string{
		CSV:    "profile_id,email\np1,x\np2,\np3,a,b\np4,\n",
		NDJSON: "{\"profile_id\":\"p0\",\"email\":\"\"}\n{}\n{\"profile_id\":\"p2\"}\nx\n{\"profile_id\":\"p4\"}\n",
	} {
		reader, err := NewReader(strings.NewReader(text), format)
		g.Expect(err).NotTo(HaveOccurred())
		var good, bad []int
		for {
			_, line, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			var fault LineError
			if errors.As(err, &fault) {
				bad = append(bad, fault.Line)
				continue
			}
			g.Expect(err).NotTo(HaveOccurred())
			good = append(good, line)
		}
		g.Expect(bad).To(Equal([]int{2, 4}), string(format))
		g.Expect(good).To(ContainElements(3, 5), string(format))
	}
}

func TestReadEndsWithWhatItReads(t *testing.T) {
	g := NewWithT(t)
	_, err := readAll(io.MultiReader(strings.NewReader("profile_id,email\np,\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), CSV)
	g.Expect(err).To(MatchError(io.ErrUnexpectedEOF))
	_, err = readAll(io.MultiReader(strings.NewReader("{\"profile_id\":\"p\"}\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), NDJSON)
	g.Expect(err).To(MatchError(io.ErrUnexpectedEOF), "what comes after it may be at fault as well")

	reader, err := NewReader(endless{}, NDJSON)
	g.Expect(err).NotTo(HaveOccurred())
	reader.bytes.N = 1 << 20 // two GiB take their time
	_, _, err = reader.Next()
	g.Expect(err).To(MatchError(ContainSubstring("larger than 2 GiB")))
	reader.bytes.N, reader.read = 1<<20, maxProfiles
	reader.file = openNDJSON(strings.NewReader("{\"profile_id\":\"p\"}"))
	_, _, err = reader.Next()
	g.Expect(err).To(MatchError(ContainSubstring("more than 10000000 profiles")))
}
