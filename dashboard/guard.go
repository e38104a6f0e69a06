package dashboard

import (
	"net"
	"net/http"
)

// front stands before all routes.
func (d *Dashboard) front(next http.Handler) http.Handler {
	// A page elsewhere must not have a browser change anything here.
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin(d.BaseURL); err != nil {
		panic(err) // New has looked at it
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.deny(w, r, http.StatusForbidden, "cross_origin", "a page of another site must not have a browser ask for it")
	}))
	handler := d.headers(protection.Handler(next))
	if d.LocalUser != "" {
		return localOnly(handler)
	}
	return handler
}

// headers sets what keeps a page from running or loading anything but its own.
func (d *Dashboard) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
		if d.secure() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// policy is the content security policy. A form may lead to one more origin: browsers check it against redirects too.
func policy(formTarget string) string {
	form := "form-action 'self'"
	if formTarget != "" {
		form += " " + formTarget
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " + form + "; frame-ancestors 'none'; base-uri 'none'"
}

// localOnly lets only this machine in, and only under a name of this machine: a page elsewhere must not reach it by
// pointing its own name here.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(r.RemoteAddr) || !loopback(r.Host) {
			http.Error(w, "kustiq dev serves this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
