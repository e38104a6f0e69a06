package keys

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms"
	"github.com/tink-crypto/tink-go-hcvault/v2/integration/hcvault"
	"github.com/tink-crypto/tink-go/v2/core/registry"

	"github.com/kustiq/kustiq/internal/vault"
)

// Resolver returns the KMS key that a URI names.
type Resolver func(ctx context.Context, uri string) (vault.Wrapper, error)

// OpenKMS is the Resolver of an installation. Credentials come from where each vendor's tools look for them.
func OpenKMS(ctx context.Context, uri string) (vault.Wrapper, error) {
	client, err := clientFor(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKMS, err)
	}
	wrapper, err := client.GetAEAD(uri)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKMS, err)
	}
	return wrapper, nil
}

func clientFor(ctx context.Context, uri string) (registry.KMSClient, error) {
	scheme, _, found := strings.Cut(uri, "://")
	switch {
	case !found:
		return nil, errors.New("the URI has no scheme; aws-kms://, gcp-kms:// and hcvault:// are supported")
	case scheme == "aws-kms":
		return awskms.NewClientWithOptions(ctx, uri)
	case scheme == "gcp-kms":
		return gcpkms.NewClient(ctx, uri)
	case scheme == "hcvault":
		return hashicorpClient(uri)
	}
	return nil, fmt.Errorf("scheme %q is not supported; aws-kms://, gcp-kms:// and hcvault:// are", scheme)
}

// hashicorpClient takes token, namespace and CA from the variables that the vault command reads, and the server from
// the URI.
func hashicorpClient(uri string) (registry.KMSClient, error) {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Host == "" || parsed.User != nil {
		// The cause would quote the URI, and who writes a token into it.
		return nil, errors.New("the URI is not like hcvault://vault.example:8200/transit/keys/kustiq")
	}
	config := vaultapi.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("read HashiCorp Vault's environment: %w", config.Error)
	}
	config.Address = "https://" + parsed.Host
	client, err := vaultapi.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of HashiCorp Vault: %w", err)
	}
	return hcvault.NewClientWithAEADOptions(uri, client.Logical())
}

// remembering asks kms only when the URI is another than the last time: some clients hold a connection.
func remembering(kms Resolver) Resolver {
	var last string
	var wrapper vault.Wrapper
	return func(ctx context.Context, uri string) (vault.Wrapper, error) {
		if wrapper != nil && uri == last {
			return wrapper, nil
		}
		resolved, err := kms(ctx, uri)
		if err != nil {
			return nil, err
		}
		last, wrapper = uri, resolved
		return wrapper, nil
	}
}
