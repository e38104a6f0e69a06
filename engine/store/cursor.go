package store

import (
	"encoding/base64"
	"encoding/json"
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
