package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

const (
	sessionCookie = "kustiq_session"
	csrfContext   = "dashboard/csrf"
)

// session returns the browser's session, or starts one. Its hash stands for it wherever it is written.
func (d *Dashboard) session(w http.ResponseWriter, r *http.Request) (hash string) {
	if cookie, err := r.Cookie(sessionCookie); err == nil && len(cookie.Value) >= 26 {
		return hashOf(cookie.Value)
	}
	value := rand.Text()
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(d.BaseURL, "https://"),
	})
	return hashOf(value)
}

func hashOf(value string) string {
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// formToken is what a form must carry to be this session's.
func (d *Dashboard) formToken(session string) (string, error) {
	sealed, err := d.Vault.Seal([]byte(session), csrfContext)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (d *Dashboard) formTokenValid(token, session string) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return false
	}
	owner, err := d.Vault.Unseal(sealed, csrfContext)
	return err == nil && subtle.ConstantTimeCompare(owner, []byte(session)) == 1
}
