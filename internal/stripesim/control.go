package stripesim

import (
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"strings"
)

//go:embed control.html
var controlPage string

var controlTemplate = template.Must(template.New("control").Parse(controlPage))

// shownCustomers bounds the control page.
const shownCustomers = 100

// CustomerSummary is one customer on the control page and in its JSON.
type CustomerSummary struct {
	Account string   `json:"account"`
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	MRR     float64  `json:"mrr_minor"`
	Actions []Action `json:"-"`
}

// Customers returns an account's customers with a live subscription, oldest first.
func (s *Server) Customers(account string) []CustomerSummary {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.accounts {
		if a.ID == account {
			return a.summaries()
		}
	}
	return nil
}

func (a *Account) summaries() (out []CustomerSummary) {
	for _, c := range a.customers.all {
		for _, sub := range c.subs {
			if !sub.live() {
				continue
			}
			mrr := float64(sub.total())
			if sub.interval() == "year" {
				mrr /= 12
			}
			out = append(out, CustomerSummary{Account: a.ID, ID: c.id, Name: c.name, Status: sub.status, MRR: mrr, Actions: Actions()})
			break
		}
	}
	return out
}

// routeControl serves what Stripe does not have: pages and requests that let things happen.
func (s *Server) routeControl(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.controlPage)
	mux.HandleFunc("GET /_sim/accounts", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.RLock()
		defer s.mu.RUnlock()
		out := []obj{}
		for _, a := range s.accounts {
			out = append(out, obj{"id": a.ID, "name": a.Name, "livemode": a.Livemode, "customers": a.summaries()})
		}
		reply(w, http.StatusOK, out)
	})
	mux.HandleFunc("GET /_sim/deliveries", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, s.Deliveries())
	})
	mux.HandleFunc("POST /_sim/accounts/{account}/customers/{customer}/{action}", s.controlAct)
	mux.HandleFunc("POST /_sim/deliver", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Resend("", r.URL.Query().Get("event")); err != nil {
			refuse(w, apiError{status: http.StatusNotFound, kind: "invalid_request_error", message: err.Error()})
			return
		}
		reply(w, http.StatusOK, obj{"queued": true})
	})
}

func (s *Server) controlAct(w http.ResponseWriter, r *http.Request) {
	action := Action(strings.ReplaceAll(r.PathValue("action"), "-", "_"))
	id, err := s.Act(r.PathValue("account"), r.PathValue("customer"), action)
	switch {
	case errors.Is(err, ErrNotPossible):
		refuse(w, apiError{status: http.StatusConflict, kind: "invalid_request_error", message: err.Error()})
	case err != nil:
		refuse(w, apiError{status: http.StatusNotFound, kind: "invalid_request_error", message: err.Error()})
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		reply(w, http.StatusOK, obj{"event": id})
	}
}

func (s *Server) controlPage(w http.ResponseWriter, _ *http.Request) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	type section struct {
		Account   *Account
		Customers []CustomerSummary
	}
	var sections []section
	for _, a := range s.accounts {
		customers := a.summaries()
		sections = append(sections, section{a, customers[:min(len(customers), shownCustomers)]})
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = controlTemplate.Execute(w, sections)
}
