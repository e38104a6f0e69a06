package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	sessionContext = "dashboard/session"
	csrfContext    = "dashboard/csrf"
	// sessionAge is a working day and some more; after it a browser gets a new session.
	sessionAge = 12 * time.Hour
)

// session is what the browser's cookie holds, sealed: nobody can make one up.
type session struct {
	ID      string `json:"id"`
	Expires int64  `json:"expires"`
}

// cookieName is bound to this very host by its prefix wherever browsers honour that, which they do on https only.
func (d *Dashboard) cookieName() string {
	if d.secure() {
		return "__Host-kustiq_session"
	}
	return "kustiq_session"
}

func (d *Dashboard) secure() bool { return strings.HasPrefix(d.BaseURL, "https://") }

// session returns the hash that stands for the browser's session wherever it is written; empty when there is none.
func (d *Dashboard) session(r *http.Request) (hash string) {
	cookie, err := r.Cookie(d.cookieName())
	if err != nil {
		return ""
	}
	plain, err := d.unsealText(cookie.Value, sessionContext)
	var s session
	if err != nil || json.Unmarshal(plain, &s) != nil || s.Expires <= d.Clock.Now().Unix() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ensureSession is session, and starts one where there is none.
func (d *Dashboard) ensureSession(w http.ResponseWriter, r *http.Request) (hash string, err error) {
	if hash := d.session(r); hash != "" {
		return hash, nil
	}
	plain, err := json.Marshal(session{ID: rand.Text(), Expires: d.Clock.Now().Add(sessionAge).Unix()})
	if err != nil {
		return "", err
	}
	sealed, err := d.sealText(plain, sessionContext)
	if err != nil {
		return "", err
	}
	cookie := &http.Cookie{
		Name: d.cookieName(), Value: sealed, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: d.secure(),
	}
	http.SetCookie(w, cookie)
	r.AddCookie(cookie)
	return d.session(r), nil
}

// formToken is what a form must carry to be this session's.
func (d *Dashboard) formToken(session string) (string, error) {
	return d.sealText([]byte(session), csrfContext)
}

func (d *Dashboard) formTokenValid(token, session string) bool {
	owner, err := d.unsealText(token, csrfContext)
	return err == nil && session != "" && subtle.ConstantTimeCompare(owner, []byte(session)) == 1
}

func (d *Dashboard) sealText(plain []byte, context string) (string, error) {
	sealed, err := d.Vault.Seal(plain, context)
	if err != nil {
		return "", fmt.Errorf("seal: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (d *Dashboard) unsealText(text, context string) ([]byte, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return d.Vault.Unseal(sealed, context)
}
