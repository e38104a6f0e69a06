package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/kustiq/kustiq/engine/matching"
)

// Names and addresses are sealed, so that a search cannot compare them. A customer has tokens beside them instead: keyed
// hashes of the address and of the beginnings of the name's words, which are found in the index of the at-risk list.
// Without the workspace's data key nobody can make a token, so that they say nothing once that is destroyed.
const (
	// shortest and longest beginning of a word that is hashed, in letters. A longer one that is searched for is looked up
	// by its first letters.
	shortest, longest = 3, 6
	// maxWords of a name are hashed.
	maxWords = 8
	// tokenLetters are 50 bits: two values with one token are not met among the customers of a workspace.
	tokenLetters = 10
)

// lettersOfTokens are in lower case, since SQLite's LIKE does not tell cases apart.
var lettersOfTokens = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (k *dataKey) token(kind, value string) string {
	mac := hmac.New(sha256.New, k.lookup)
	mac.Write([]byte("search " + kind + "\x00" + value))
	return lettersOfTokens.EncodeToString(mac.Sum(nil))[:tokenLetters]
}

// tokensOf returns what the person is found by, each token between spaces; a space alone when there is nothing.
func tokensOf(key *dataKey, id identity) string {
	var tokens []string
	if email := (matching.Customer{Email: id.Email}).Keys().Email; email != "" {
		tokens = append(tokens, key.token("email", email))
	}
	words := wordsOf(id.Name)
	for _, word := range words[:min(len(words), maxWords)] {
		for n := min(shortest, len(word)); n <= min(longest, len(word)); n++ {
			tokens = append(tokens, key.token("name", string(word[:n])))
		}
	}
	slices.Sort(tokens)
	var b strings.Builder
	b.WriteByte(' ')
	for _, token := range slices.Compact(tokens) {
		b.WriteString(token)
		b.WriteByte(' ')
	}
	return b.String()
}

// wantedTokens are those that a customer must have to be found by the text.
func wantedTokens(key *dataKey, text string) []string {
	if email := (matching.Customer{Email: text}).Keys().Email; email != "" {
		return []string{key.token("email", email)}
	}
	var tokens []string
	for _, word := range wordsOf(text) {
		tokens = append(tokens, key.token("name", string(word[:min(longest, len(word))])))
	}
	return tokens
}

// wordsOf returns the words of a name in letters and digits, without case and without marks: "Söhne" is "sohne".
func wordsOf(name string) [][]rune {
	folded := norm.NFKD.String(cases.Fold().String(name))
	var words [][]rune
	var word []rune
	for _, r := range folded + " " {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			word = append(word, r)
		case len(word) > 0:
			words, word = append(words, word), nil
		}
	}
	return words
}
