package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/access"
	"github.com/kustiq/kustiq/internal/bus"
)

const (
	stateContext = "oauth-state"
	// stateAge is how long somebody may take on Stripe's page.
	stateAge = 10 * time.Minute
	// maxForm bounds what is read of a form, in bytes: its fields are short.
	maxForm = 16 << 10
)

// state travels to Stripe and back, sealed. It binds the answer to a session and to a resource.
type state struct {
	UID       string `json:"uid"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Session   string `json:"session"`
	Nonce     string `json:"nonce"`
	Expires   int64  `json:"expires"`
}

var (
	errState   = errors.New("the state is not one of ours, or was altered")
	errExpired = errors.New("the state has expired")
	errSession = errors.New("the state belongs to another browser session")
	errUsed    = errors.New("the state was used before")
)

func (d *Dashboard) sealState(conn *v1alpha1.StripeConnection, session string) (string, error) {
	plain, err := json.Marshal(state{
		UID: string(conn.UID), Namespace: conn.Namespace, Name: conn.Name, Session: session, Nonce: rand.Text(),
		Expires: d.Clock.Now().Add(stateAge).Unix(),
	})
	if err != nil {
		return "", err
	}
	return d.sealText(plain, stateContext)
}

// redeemState opens a state and marks it as used.
func (d *Dashboard) redeemState(ctx context.Context, text, session string) (state, error) {
	var st state
	plain, err := d.unsealText(text, stateContext)
	if err != nil || json.Unmarshal(plain, &st) != nil {
		return st, errState
	}
	now := d.Clock.Now().Unix()
	if st.Expires < now {
		return st, errExpired
	}
	if session == "" || subtle.ConstantTimeCompare([]byte(st.Session), []byte(session)) != 1 {
		return st, errSession
	}
	_, err = d.Bus.Nonces().Create(ctx, st.Nonce, bus.Nonce{UsedAt: now})
	if errors.Is(err, bus.ErrExists) {
		return st, errUsed
	}
	return st, err
}

// goToStripe answers the button of the connect page.
func (d *Dashboard) goToStripe(w http.ResponseWriter, r *http.Request) {
	conn, ok := d.connection(w, r, access.Operate)
	if !ok {
		return
	}
	offer, _, err := d.Bus.Offers().Get(r.Context(), string(conn.UID))
	if err != nil {
		d.notOffered(w, r, err)
		return
	}
	target, err := url.Parse(offer.AuthorizeURL)
	if err != nil {
		d.failure(w, r, "read the offer", err)
		return
	}
	sealed, err := d.sealState(conn, callerOf(r).session)
	if err != nil {
		d.failure(w, r, "seal the state", err)
		return
	}
	query := target.Query()
	query.Set("state", sealed)
	query.Set("redirect_uri", d.BaseURL+"/oauth/callback")
	target.RawQuery = query.Encode()
	w.Header().Set("Content-Security-Policy", policy(origin(target)))
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// callback takes Stripe's answer and hands it to the operator.
func (d *Dashboard) callback(w http.ResponseWriter, r *http.Request) {
	st, err := d.redeemState(r.Context(), r.URL.Query().Get("state"), callerOf(r).session)
	if err != nil {
		d.refusedState(w, r, err)
		return
	}
	grant := bus.Grant{At: d.Clock.Now().Unix()}
	code := r.URL.Query().Get("code")
	switch {
	case r.URL.Query().Get("error") == "access_denied":
		grant.Error = "access_denied"
	case r.URL.Query().Get("error") != "" || code == "":
		grant.Error = "no_code"
	default:
		if grant.SealedCode, err = d.Vault.Seal([]byte(code), "grant/"+st.UID); err != nil {
			d.failure(w, r, "seal the code", err)
			return
		}
	}
	conn, ok := d.connectionAt(w, r, access.Operate, client.ObjectKey{Namespace: st.Namespace, Name: st.Name})
	if !ok {
		return
	}
	entry := action{
		workspace: conn.Namespace + "/" + conn.Spec.WorkspaceRef.Name, verb: "connect", object: "stripeconnection/" + conn.Name, detail: grant.Error,
	}
	err = d.audited(r, entry, func() error {
		_, err := d.Bus.Grants().Put(r.Context(), st.UID, grant)
		return err
	})
	if err != nil {
		d.failure(w, r, "hand over the consent", err)
		return
	}
	next := connectPath(st.Namespace, st.Name)
	switch {
	case grant.Error != "":
		next += "?declined=1"
	case meta.IsStatusConditionTrue(conn.Status.Conditions, v1alpha1.ConditionAuthorized):
		next += "?renewed=1"
	default:
		next += "?waiting=1"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (d *Dashboard) refusedState(w http.ResponseWriter, r *http.Request, err error) {
	const again = "Nothing was connected. Open the connect page again and use its button."
	switch {
	case errors.Is(err, errExpired):
		d.problem(w, r, http.StatusBadRequest, "That took longer than 10 minutes", again)
	case errors.Is(err, errSession):
		d.problem(w, r, http.StatusBadRequest, "The consent was started in another browser session", again)
	case errors.Is(err, errUsed):
		d.problem(w, r, http.StatusBadRequest, "This consent was used already", "If the connection is not shown as connected, open the connect page again.")
	case errors.Is(err, errState):
		d.problem(w, r, http.StatusBadRequest, "This answer does not belong to a consent started here", again)
	default:
		d.failure(w, r, "check the consent", err)
	}
}
