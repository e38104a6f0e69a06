package store

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// cursor is the place after which the next page starts: the last row's place in the order, and the query it belongs to.
type cursor struct {
	Livemode bool    `json:"l,omitempty"`
	Query    string  `json:"q,omitempty"`
	Rank     int     `json:"r"`
	NegScore int     `json:"s"`
	NegMRR   float64 `json:"m"`
	Customer string  `json:"c"`
}

func (c cursor) encode() (string, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// decodeCursor refuses a cursor of another query, whose order it would silently misread.
func decodeCursor(after string, livemode bool, query string) (cursor, error) {
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil || json.Unmarshal(raw, &c) != nil || c.Livemode != livemode || c.Query != query || c.Customer == "" {
		return cursor{}, ErrCursor
	}
	return c, nil
}

// encodePlace is the cursor of a list that is in the order of ids.
func encodePlace(list, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\x00" + id))
}

// decodePlace returns the id after which the next page starts, or ErrCursor for what is of another list.
func decodePlace(list, after string) (id string, err error) {
	if after == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(after)
	of, id, ok := strings.Cut(string(raw), "\x00")
	if err != nil || !ok || of != list || !utf8.ValidString(id) || strings.ContainsRune(id, 0) {
		return "", ErrCursor
	}
	return id, nil
}
