package stripeapi

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would have been printed.
const redacted = "[redacted]"

// Secret is a token, key or signing secret. Every way of printing or encoding it gives a placeholder; Reveal is the
// only way out, so that a use can be found by its name.
//
// fmt does not call methods on unexported struct fields: a struct that holds a Secret in one needs a Format of its own.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String redacts.
func (s Secret) String() string { return redacted }

// GoString redacts.
func (s Secret) GoString() string { return redacted }

// Format redacts under every verb, %x and %q included.
func (s Secret) Format(f fmt.State, _ rune) { redact(f) }

// LogValue redacts.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts; encoding/json and YAML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(w io.Writer) {
	// fmt.State never fails to write; there is nobody to tell either.
	_, _ = io.WriteString(w, redacted)
}
