package stripesim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

const day = int64(24 * 60 * 60)

// APIVersion of every object and event.
const APIVersion = "2023-10-16"

// Options of a Server.
type Options struct {
	Clock  clock.WithTicker
	Seed   uint64
	Logger *slog.Logger
	// DeliveryClient posts events; nil means one with Stripe's time limit.
	DeliveryClient *http.Client
}

// Platform is the account of the one who asks other accounts for access. Its client ids differ by mode.
type Platform struct {
	Name                         string
	ClientIDLive, ClientIDTest   string
	SecretKeyLive, SecretKeyTest string
	RedirectURIs                 []string
	// App makes it a Stripe App: access tokens end after an hour, and each refresh replaces the refresh token.
	App bool
}

// Server answers for api.stripe.com and connect.stripe.com. It keeps everything in memory.
type Server struct {
	clock  clock.WithTicker
	log    *slog.Logger
	client *http.Client
	mux    *http.ServeMux

	mu                         sync.RWMutex
	rng                        *rand.Rand
	platforms                  []*Platform
	accounts                   []*Account
	byKey                      map[accountKey]*Account
	codes                      map[string]*code
	tokens                     map[string]*token // by access token
	refreshes                  map[string]*token // by refresh token
	grants                     map[grantKey][]*token
	answers                    map[string]answer // by key and Idempotency-Key
	endpoints                  list[*endpoint]
	faults                     []*Fault
	hindered                   map[string]DeliveryFault // by account
	limits                     Limits
	traffic                    map[accountKey]*Traffic
	requests, platformRequests []Request
	streams                    []stream
	sent                       []Delivery
	outbox                     []*delivery
	wake                       chan struct{}
}

// Request is one API request as it was received. Account is empty when a platform spoke for itself.
type Request struct {
	Method, Path, Account string
	// Query is what came after the path.
	Query string
	// Platform whose key or grant it was sent with, by name.
	Platform string
	Livemode bool
}

// New returns a server without platforms and accounts. Run must run for events to be delivered.
func New(opts Options) (*Server, error) {
	if opts.Clock == nil || opts.Logger == nil {
		return nil, errors.New("stripesim: a clock and a logger are needed")
	}
	if opts.DeliveryClient == nil {
		opts.DeliveryClient = &http.Client{Timeout: 20 * time.Second}
	}
	s := &Server{
		clock: opts.Clock, log: opts.Logger, client: opts.DeliveryClient,
		rng:   rand.New(rand.NewPCG(opts.Seed, 0x5717e)),
		byKey: map[accountKey]*Account{}, codes: map[string]*code{}, tokens: map[string]*token{}, refreshes: map[string]*token{},
		grants: map[grantKey][]*token{}, answers: map[string]answer{}, hindered: map[string]DeliveryFault{},
		traffic: map[accountKey]*Traffic{},
		wake:    make(chan struct{}, 1),
	}
	s.mux = s.routes()
	return s, nil
}

// AddPlatform makes a platform's keys good.
func (s *Server) AddPlatform(p Platform) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.platforms = append(s.platforms, &p)
}

// AddAccount makes an account ready to be connected. One id may be added once in each mode.
func (s *Server) AddAccount(a *Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = append(s.accounts, a)
	s.byKey[a.key()] = a
}

// SetRestricted lets Stripe disable or enable an account's charges, and tells the platforms.
func (s *Server) SetRestricted(account string, livemode, restricted bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.byKey[accountKey{account, livemode}]
	if !ok {
		return fmt.Errorf("stripesim: no account %s", account)
	}
	a.Restricted = restricted
	s.emit(a, "account.updated", a.render(), obj{"charges_enabled": restricted, "payouts_enabled": restricted})
	return nil
}

// Remove deletes an object, so that lists show it no more.
func (s *Server) Remove(account string, livemode bool, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byKey[accountKey{account, livemode}]
	if a.gone == nil {
		a.gone = map[string]bool{}
	}
	a.gone[id] = true
}

// Requests returns every request made for a connected account, oldest first.
func (s *Server) Requests() []Request {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Request(nil), s.requests...)
}

// PlatformRequests returns every request that a platform made for itself, oldest first; OAuth is not among them.
func (s *Server) PlatformRequests() []Request {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Request(nil), s.platformRequests...)
}

// ServeHTTP answers as Stripe does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	requestID := newID(s.rng, "req_", 14)
	fault := s.takeFault(r)
	s.mu.Unlock()
	w.Header().Set("Request-Id", requestID)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		w.Header().Set("Stripe-Version", APIVersion)
	}
	if fault != nil {
		fault.answer(w)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	s.routeOAuth(mux)
	s.routeAPI(mux)
	s.routeEndpoints(mux)
	s.routeControl(mux)
	return mux
}

func (s *Server) now() int64 { return s.clock.Now().Unix() }

// Run delivers events and drives live streams until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	running.Add(1)
	go func() {
		defer running.Done()
		s.runStreams(ctx)
	}()
	slots := make(chan struct{}, maxDeliveries)
	for {
		s.mu.Lock()
		due := s.outbox
		s.outbox = nil
		s.mu.Unlock()
		for _, d := range due {
			running.Add(1)
			go func() {
				defer running.Done()
				s.deliver(ctx, d, slots)
			}()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
	}
}
