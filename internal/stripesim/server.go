package stripesim

import (
	"context"
	"errors"
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
}

// Server answers for api.stripe.com and connect.stripe.com. It keeps everything in memory.
type Server struct {
	clock  clock.WithTicker
	log    *slog.Logger
	client *http.Client
	mux    *http.ServeMux

	mu        sync.RWMutex
	rng       *rand.Rand
	platforms []*Platform
	accounts  []*Account
	codes     map[string]*code
	tokens    map[string]*token
	refreshes map[string]*token
	endpoints list[*endpoint]
	faults    []*Fault
	requests  []Request
	streams   []stream
	sent      []Delivery
	outbox    []*delivery
	wake      chan struct{}
}

// Request is one API request for a connected account, as it was received.
type Request struct {
	Method, Path, Account string
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
		codes: map[string]*code{}, tokens: map[string]*token{}, refreshes: map[string]*token{},
		wake: make(chan struct{}, 1),
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
}

// Requests returns every request made for a connected account, oldest first.
func (s *Server) Requests() []Request {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Request(nil), s.requests...)
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

func (s *Server) findAccount(id string, livemode bool) (*Account, bool) {
	for _, a := range s.accounts {
		if a.ID == id && a.Livemode == livemode {
			return a, true
		}
	}
	return nil, false
}

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
