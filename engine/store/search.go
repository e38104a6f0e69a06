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
// hashes of the address and of the beginnings of the name's words. They are in a table of their own, whose index finds the
// few who have a rare one, where the dialect has such an index. Whom many have is found in the order of the at-risk list
// instead: there each customer has bits that its tokens set, and only of those who have all the wanted bits the tokens are
// looked at. Without the workspace's data key nobody can make a token, so that they say nothing once that is destroyed.
const (
	// shortest and longest beginning of a word that is hashed, in letters. A longer one that is searched for is looked up
	// by its first letters.
	shortest, longest = 3, 6
	// maxWords of a name are hashed.
	maxWords = 8
	// tokenLetters are 50 bits: two values with one token are not met among the customers of a workspace.
	tokenLetters = 10
	// bitsOfToken are set by each token. Two words and an address have 9 tokens, which set a third of the 63: then one in 23
	// customers has all those of an address that it has not, and far fewer those of a longer word with its beginnings.
	bitsOfToken = 3
	// noBits yet: all are set, so that the tokens are looked at.
	noBits = -1
)

// tokenAlphabet is in lower case, since SQLite's LIKE does not tell cases apart.
const tokenAlphabet = "abcdefghijklmnopqrstuvwxyz234567"

var lettersOfTokens = base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding)

func (k *dataKey) token(kind, value string) string {
	mac := hmac.New(sha256.New, k.lookup)
	mac.Write([]byte("search " + kind + "\x00" + value))
	return lettersOfTokens.EncodeToString(mac.Sum(nil))[:tokenLetters]
}

// tokensOf returns what the person is found by, a space between two tokens.
func tokensOf(key *dataKey, id identity) string {
	var tokens []string
	if email := (matching.Customer{Email: id.Email}).Keys().Email; email != "" {
		tokens = append(tokens, key.token("email", email))
	}
	words := wordsOf(id.Name)
	for _, word := range words[:min(len(words), maxWords)] {
		tokens = append(tokens, key.beginnings(word)...)
	}
	slices.Sort(tokens)
	return strings.Join(slices.Compact(tokens), " ")
}

// bitsOf returns the bits that the tokens set, 63 at most: a signed number holds no more without its sign. Two letters give
// one. The migration that brought the bits in makes them in SQL.
func bitsOf(tokens []string) (bits int64) {
	for _, token := range tokens {
		for n := range bitsOfToken {
			high, low := strings.IndexByte(tokenAlphabet, token[2*n]), strings.IndexByte(tokenAlphabet, token[2*n+1])
			bits |= 1 << ((32*high + low) % 63)
		}
	}
	return bits
}

// wanted is what a customer must have to be found.
type wanted struct {
	tokens []string
	bits   int64
}

// wantedBy returns what the text asks for; no tokens when nobody can be found by it. Who has a beginning of a word has the
// shorter ones, too: their bits tell many more apart.
func wantedBy(key *dataKey, text string) wanted {
	if email := (matching.Customer{Email: text}).Keys().Email; email != "" {
		tokens := []string{key.token("email", email)}
		return wanted{tokens, bitsOf(tokens)}
	}
	var w wanted
	for _, word := range wordsOf(text) {
		tokens := key.beginnings(word)
		w.tokens, w.bits = append(w.tokens, tokens[len(tokens)-1]), w.bits|bitsOf(tokens)
	}
	return w
}

// beginnings returns the tokens of the word's beginnings, the longest last.
func (k *dataKey) beginnings(word []rune) []string {
	var tokens []string
	for n := min(shortest, len(word)); n <= min(longest, len(word)); n++ {
		tokens = append(tokens, k.token("name", string(word[:n])))
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
