package matching

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzReader holds that no file makes the reader panic or go on for ever, that what it accepts is what a profile may be,
// and that its words repeat nothing of a line.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"profile_id,email\np1,ada@lovelace.example\n", "\ufeffdomain,email,profile_id\r\n\"a.b\",x@y.example,p2\r\n",
		"profile_id,email\n\"open", "profile_id,email\np1,a@b.example,c\n\n,\n", "{\"profile_id\":\"p1\",\"email\":\"a@b.example\"}\n{}\n7\n",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, file []byte, csv bool) {
		format := NDJSON
		if csv {
			format = CSV
		}
		reader, err := NewReader(bytes.NewReader(file), format)
		var fault LineError
		if err != nil {
			if !errors.As(err, &fault) {
				t.Fatal(err)
			}
			return
		}
		for reads := 0; ; reads++ {
			p, line, err := reader.Next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case reads > len(file)+1:
				t.Fatal("it does not end")
			case err != nil && !errors.As(err, &fault):
				t.Fatal(err)
			case err == nil && (p.ID == "" || p.ID != strings.TrimSpace(p.ID) || len(p.ID) > maxField || line < 1):
				t.Fatalf("%+v in line %d", p, line)
			case err == nil && p.Email != "" && p.Keys().Email == "":
				t.Fatalf("nobody is found by %q", p.Email)
			}
		}
	})
}
