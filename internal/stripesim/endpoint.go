package stripesim

import (
	"net/http"
	"net/url"
	"strings"
)

// maxEndpoints is Stripe's limit for one account.
const maxEndpoints = 16

type endpoint struct {
	id, url, description, secret, apiVersion string
	events                                   []string
	metadata                                 map[string]string
	disabled, deleted, connect               bool
	created                                  int64
	platform                                 *Platform
	livemode                                 bool
}

func (s *Server) routeEndpoints(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/webhook_endpoints", s.forPlatform(s.createEndpoint))
	mux.HandleFunc("GET /v1/webhook_endpoints", s.forPlatform(s.listEndpoints))
	mux.HandleFunc("GET /v1/webhook_endpoints/{id}", s.forEndpoint(func(w http.ResponseWriter, _ *http.Request, e *endpoint) {
		reply(w, http.StatusOK, e.render())
	}))
	mux.HandleFunc("POST /v1/webhook_endpoints/{id}", s.forEndpoint(s.updateEndpoint))
	mux.HandleFunc("DELETE /v1/webhook_endpoints/{id}", s.forEndpoint(func(w http.ResponseWriter, _ *http.Request, e *endpoint) {
		e.deleted = true
		reply(w, http.StatusOK, obj{"id": e.id, "object": "webhook_endpoint", "deleted": true})
	}))
}

func (s *Server) forEndpoint(serve func(http.ResponseWriter, *http.Request, *endpoint)) http.HandlerFunc {
	return s.forPlatform(func(w http.ResponseWriter, r *http.Request, c caller) {
		e, ok := s.endpoints.get(r.PathValue("id"))
		if !ok || e.deleted || e.platform != c.platform || e.livemode != c.livemode {
			refuse(w, apiError{status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing",
				message: "No such webhook endpoint: '" + r.PathValue("id") + "'"})
			return
		}
		serve(w, r, e)
	})
}

func (s *Server) endpointsOf(p *Platform, livemode bool) (own []*endpoint) {
	for _, e := range s.endpoints.all {
		if e.platform == p && e.livemode == livemode && !e.deleted {
			own = append(own, e)
		}
	}
	return own
}

func (s *Server) createEndpoint(w http.ResponseWriter, r *http.Request, c caller) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("url") == "" {
		refuse(w, *badParam("url", "Missing required param: url."))
		return
	}
	if len(s.endpointsOf(c.platform, c.livemode)) >= maxEndpoints {
		refuse(w, apiError{status: http.StatusBadRequest, kind: "invalid_request_error",
			message: "You have reached the maximum of 16 webhook endpoints."})
		return
	}
	e := &endpoint{
		id: newID(s.rng, "we_", 24), secret: newID(s.rng, "whsec_", 32), created: s.now(),
		apiVersion: r.PostForm.Get("api_version"), connect: r.PostForm.Get("connect") == "true",
		platform: c.platform, livemode: c.livemode, metadata: map[string]string{},
	}
	if refused := e.change(r.PostForm); refused != nil {
		refuse(w, *refused)
		return
	}
	if len(e.events) == 0 {
		refuse(w, *badParam("enabled_events", "Missing required param: enabled_events."))
		return
	}
	s.endpoints.add(e.id, e)
	created := e.render()
	created["secret"] = e.secret
	reply(w, http.StatusOK, created)
}

func (s *Server) listEndpoints(w http.ResponseWriter, r *http.Request, c caller) {
	var own list[*endpoint]
	for _, e := range s.endpointsOf(c.platform, c.livemode) {
		own.add(e.id, e)
	}
	rows := tableOf(&own, func(e *endpoint) row { return row{id: e.id, created: e.created, render: e.render} })
	page, more, refused := selectPage(rows, "webhook_endpoints", r.URL.Query())
	if refused != nil {
		refuse(w, *refused)
		return
	}
	data := make([]any, 0, len(page))
	for _, x := range page {
		data = append(data, x.render())
	}
	l := listOf("/v1/webhook_endpoints", data...)
	l["has_more"] = more
	reply(w, http.StatusOK, l)
}

func (s *Server) updateEndpoint(w http.ResponseWriter, r *http.Request, e *endpoint) {
	if err := r.ParseForm(); err != nil {
		refuse(w, *badParam("", "unreadable form"))
		return
	}
	if refused := e.change(r.PostForm); refused != nil {
		refuse(w, *refused)
		return
	}
	reply(w, http.StatusOK, e.render())
}

// change applies the parameters that create and update share.
func (e *endpoint) change(form url.Values) *apiError {
	if target := form.Get("url"); target != "" {
		u, err := url.Parse(target)
		if err != nil || u.Host == "" {
			return badParam("url", "Invalid URL: must be absolute")
		}
		e.url = target
	}
	var events []string
	for key, values := range form {
		switch {
		case strings.HasPrefix(key, "enabled_events["):
			events = append(events, values...)
		case strings.HasPrefix(key, "metadata["):
			e.metadata[strings.TrimSuffix(strings.TrimPrefix(key, "metadata["), "]")] = values[0]
		}
	}
	if len(events) > 0 {
		e.events = events
	}
	if form.Has("description") {
		e.description = form.Get("description")
	}
	if form.Has("disabled") {
		e.disabled = form.Get("disabled") == "true"
	}
	return nil
}

func (e *endpoint) render() obj {
	status := "enabled"
	if e.disabled {
		status = "disabled"
	}
	var version, description, application any
	if e.apiVersion != "" {
		version = e.apiVersion
	}
	if e.description != "" {
		description = e.description
	}
	if e.connect {
		application = clientID(e.platform, e.livemode)
	}
	events := make([]any, 0, len(e.events))
	for _, name := range e.events {
		events = append(events, name)
	}
	return obj{
		"id": e.id, "object": "webhook_endpoint", "api_version": version, "application": application, "created": e.created,
		"description": description, "enabled_events": events, "livemode": e.livemode, "metadata": metadata(e.metadata),
		"status": status, "url": e.url,
	}
}

// EndpointSecret returns the signing secret of the newest enabled endpoint of a mode; empty when there is none.
func (s *Server) EndpointSecret(livemode bool) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i := len(s.endpoints.all) - 1; i >= 0; i-- {
		if e := s.endpoints.all[i]; e.livemode == livemode && !e.deleted && !e.disabled {
			return e.secret
		}
	}
	return ""
}
