package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	sessionContext  = "dashboard/session"
	csrfContext     = "dashboard/csrf"
	signedInContext = "dashboard/signed-in/"
	// DefaultSessionAge is a working day and some more; after it somebody has to sign in again.
	DefaultSessionAge = 12 * time.Hour
	// DefaultSessionIdle is how long a session lasts that nobody uses.
	DefaultSessionIdle = time.Hour
	// seenEvery is how often it is noted that a session is used.
	seenEvery = time.Minute
)

// session is what the browser's cookie holds, sealed: nobody can make one up.
type session struct {
	ID      string `json:"id"`
	Expires int64  `json:"expires"`
}

// hash stands for the session wherever it is written.
func (s session) hash() string {
	sum := sha256.Sum256([]byte(s.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// signedIn is what the bus keeps of a session, sealed. Times are unix seconds.
type signedIn struct {
	User access.User `json:"user"`
	Seen int64       `json:"seen"`
}

// errNotSignedIn says that the request belongs to no session of somebody.
var errNotSignedIn = errors.New("nobody is signed in")

// cookieName is bound to this very host by its prefix wherever browsers honour that, which they do on https only.
func (d *Dashboard) cookieName(name string) string {
	if d.secure() {
		return "__Host-" + name
	}
	return name
}

func (d *Dashboard) secure() bool { return strings.HasPrefix(d.BaseURL, "https://") }

// setCookie gives the browser something sealed to keep, until it is closed.
func (d *Dashboard) setCookie(w http.ResponseWriter, name, value string) *http.Cookie {
	cookie := &http.Cookie{
		Name: d.cookieName(name), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: d.secure(),
	}
	http.SetCookie(w, cookie)
	return cookie
}

func (d *Dashboard) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(name), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: d.secure(),
	})
}

const sessionCookie = "kustiq_session"

// session returns the hash of the browser's session; empty when there is none.
func (d *Dashboard) session(r *http.Request) (hash string) {
	cookie, err := r.Cookie(d.cookieName(sessionCookie))
	if err != nil {
		return ""
	}
	plain, err := d.unsealText(cookie.Value, sessionContext)
	var s session
	if err != nil || json.Unmarshal(plain, &s) != nil || s.Expires <= d.Clock.Now().Unix() {
		return ""
	}
	return s.hash()
}

// newSession gives the browser a session of its own, in place of any that it had.
func (d *Dashboard) newSession(w http.ResponseWriter) (hash string, err error) {
	s := session{ID: rand.Text(), Expires: d.Clock.Now().Add(d.SessionAge).Unix()}
	plain, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	sealed, err := d.sealText(plain, sessionContext)
	if err != nil {
		return "", err
	}
	d.setCookie(w, sessionCookie, sealed)
	return s.hash(), nil
}

// signIn begins a session of somebody. It is another one than before, so that whoever knew that one gains nothing.
func (d *Dashboard) signIn(ctx context.Context, w http.ResponseWriter, user access.User) error {
	hash, err := d.newSession(w)
	if err != nil {
		return err
	}
	kept, err := d.sealSignedIn(hash, signedIn{User: user, Seen: d.Clock.Now().Unix()})
	if err != nil {
		return err
	}
	_, err = d.Bus.Sessions().Put(ctx, hash, kept)
	return err
}

// whose returns who signed in to a session, and notes that it is used, if it is. It fails with errNotSignedIn.
func (d *Dashboard) whose(ctx context.Context, hash string, used bool) (access.User, error) {
	if hash == "" {
		return access.User{}, errNotSignedIn
	}
	kept, revision, err := d.Bus.Sessions().Get(ctx, hash)
	if errors.Is(err, bus.ErrNotFound) {
		return access.User{}, errNotSignedIn
	}
	if err != nil {
		return access.User{}, err
	}
	plain, err := d.Vault.Unseal(kept.Sealed, signedInContext+hash)
	var s signedIn
	if err != nil || json.Unmarshal(plain, &s) != nil {
		return access.User{}, errNotSignedIn // of a keyset that is no more
	}
	now := d.Clock.Now()
	unseen := now.Sub(time.Unix(s.Seen, 0))
	if unseen > d.SessionIdle {
		return access.User{}, errNotSignedIn
	}
	if used && unseen >= min(seenEvery, d.SessionIdle/2) {
		s.Seen = now.Unix()
		if kept, err = d.sealSignedIn(hash, s); err != nil {
			return access.User{}, err
		}
		// Of the same revision only: somebody may just have signed out, and must stay so.
		if _, err := d.Bus.Sessions().Update(ctx, hash, kept, revision); err != nil && !errors.Is(err, bus.ErrConflict) {
			return access.User{}, err
		}
	}
	return s.User, nil
}

func (d *Dashboard) sealSignedIn(hash string, s signedIn) (bus.Session, error) {
	plain, err := json.Marshal(s)
	if err != nil {
		return bus.Session{}, err
	}
	sealed, err := d.Vault.Seal(plain, signedInContext+hash)
	if err != nil {
		return bus.Session{}, fmt.Errorf("seal a session: %w", err)
	}
	return bus.Session{Sealed: sealed}, nil
}

// signOut ends a session everywhere, a copied cookie included.
func (d *Dashboard) signOut(ctx context.Context, w http.ResponseWriter, hash string) error {
	d.dropCookie(w, sessionCookie)
	if hash == "" {
		return nil
	}
	return d.Bus.Sessions().Delete(ctx, hash)
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
