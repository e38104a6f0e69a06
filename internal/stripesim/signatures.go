package stripesim

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/utils/clock"

	"github.com/kustiq/kustiq/internal/stripesim/ledger"
)

type Account = ledger.Account

type Options struct {
	Clock          clock.WithTicker
	Seed           uint64
	Logger         *slog.Logger
	DeliveryClient *http.Client
}

type Platform struct {
	Name, ClientIDLive, ClientIDTest, SecretKeyLive, SecretKeyTest string
	RedirectURIs                                                   []string
}

type GenerateOptions struct {
	AccountID, Name, Country, Currency string
	Customers                          int
	Years                              float64
	Seed                               uint64
	End                                time.Time
	Livemode                           bool
}

type Server struct{}

var errTODO = errors.New("stripesim: not yet")

func Generate(GenerateOptions) *Account                                 { return &Account{} }
func New(Options) (*Server, error)                                      { return &Server{}, nil }
func (*Server) ServeHTTP(w http.ResponseWriter, r *http.Request)        {}
func (*Server) Run(ctx context.Context) error                           { <-ctx.Done(); return nil }
func (*Server) AddPlatform(Platform)                                    {}
func (*Server) AddAccount(*Account)                                     {}
func (*Server) EndpointSecret(live bool) string                         { return "" }
func (*Server) FailPayment(account, customer string) (string, error)    { return "", errTODO }
func (*Server) PayInvoice(account, customer string) (string, error)     { return "", errTODO }
func (*Server) Cancel(account, customer string) (string, error)         { return "", errTODO }
func (*Server) CancelNow(account, customer string) (string, error)      { return "", errTODO }
func (*Server) WithdrawCancel(account, customer string) (string, error) { return "", errTODO }
func (*Server) Pause(account, customer string) (string, error)          { return "", errTODO }
func (*Server) Resume(account, customer string) (string, error)         { return "", errTODO }
func (*Server) Upgrade(account, customer string) (string, error)        { return "", errTODO }
func (*Server) Downgrade(account, customer string) (string, error)      { return "", errTODO }
func (*Server) Dispute(account, customer string) (string, error)        { return "", errTODO }
func (*Server) StartStream(account string, perMinute float64)           {}
