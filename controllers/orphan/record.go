// Package orphan keeps what a deleted StripeConnection had to leave behind at Stripe, and undoes it when Stripe can be
// reached again. Its record is a ConfigMap in the operator's namespace, so that it survives the connection and its
// namespace, and people can see it. It must not know how a connection is reconciled.
package orphan

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	namePrefix = "kustiq-orphan-"
	labelKey   = "app.kubernetes.io/component"
	labelValue = "orphan"
)

// Orphan is an account's authorisation that could not be given back or, when it names no account, the webhook endpoint
// of a region and mode that could not be removed.
type Orphan struct {
	// UID and Connection, "namespace/name", of the StripeConnection that is gone.
	UID, Connection string
	// Account is the acct_ id; "" for an endpoint.
	Account  string
	Livemode bool
	Region   string
	// Refused says that Stripe knew no such grant for the platform's credentials although the account could be reached:
	// the credentials were not the right ones, and only others can give it back.
	Refused bool
	// Since is when the attempt was given up.
	Since time.Time
}

// Name of the record: a grant's has the connection's uid, and an endpoint's, which connections share, region and mode.
func (o Orphan) Name() string {
	switch {
	case o.Account != "":
		return namePrefix + o.UID
	case o.Livemode:
		return namePrefix + "endpoint-" + strings.ToLower(o.Region) + "-live"
	}
	return namePrefix + "endpoint-" + strings.ToLower(o.Region) + "-test"
}

// What is told to people who find a record.
const (
	grantLeft    = "Stripe still honours the account's authorisation. It is given back by itself once Stripe can be reached with the region's platform credentials; or remove Kustiq in the account's Stripe dashboard and delete this ConfigMap."
	endpointLeft = "The platform account still has the webhook endpoint of this region and mode, which no connection needs. It is removed by itself once Stripe can be reached with the region's platform credentials; or remove it there and delete this ConfigMap."
)

// Record keeps an orphan in mind. That it is known already is no error.
func Record(ctx context.Context, c client.Client, namespace string, o Orphan) error {
	left := grantLeft
	if o.Account == "" {
		left = endpointLeft
	}
	record := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: o.Name(),
			Labels: map[string]string{"app.kubernetes.io/managed-by": "kustiq", labelKey: labelValue},
		},
		Data: map[string]string{
			"connection": o.Connection, "account": o.Account, "livemode": strconv.FormatBool(o.Livemode),
			"region": o.Region, "refused": strconv.FormatBool(o.Refused), "since": o.Since.UTC().Format(time.RFC3339),
			"left": left,
		},
	}
	if err := c.Create(ctx, record); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("record an orphan: %w", err)
	}
	return nil
}

// isRecord tells records from other ConfigMaps.
func isRecord(o client.Object) bool {
	return o.GetLabels()[labelKey] == labelValue && strings.HasPrefix(o.GetName(), namePrefix)
}

func parse(record *corev1.ConfigMap) (Orphan, error) {
	livemode, err := strconv.ParseBool(record.Data["livemode"])
	if err != nil {
		return Orphan{}, fmt.Errorf("orphan %s: livemode is neither true nor false", record.Name)
	}
	since, err := time.Parse(time.RFC3339, record.Data["since"])
	if err != nil {
		return Orphan{}, fmt.Errorf("orphan %s: since is no time", record.Name)
	}
	o := Orphan{
		UID: strings.TrimPrefix(record.Name, namePrefix), Connection: record.Data["connection"], Account: record.Data["account"], Livemode: livemode,
		Region: record.Data["region"], Refused: record.Data["refused"] == "true", Since: since,
	}
	if o.Name() != record.Name {
		return Orphan{}, fmt.Errorf("orphan %s: the name is not that of what it tells", record.Name)
	}
	return o, nil
}
