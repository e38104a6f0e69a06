package workspace

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/api/v1alpha1"
	"github.com/kustiq/kustiq/internal/bus"
	"github.com/kustiq/kustiq/internal/kube"
)

// Standard Webhooks: a secret is this prefix and 24 to 64 bytes in base64.
const (
	secretPrefix                = "whsec_"
	secretLeast, secretMost     = 24, 64
	makeSecret                  = `whsec_$(openssl rand -base64 32)`
	secretsInRotation       int = 4
)

// target is a receiver that can be told of churn events.
type target struct {
	host       string
	eventTypes []string
	secret     bus.ReceiverSecret
}

// problem is why a receiver cannot be told; message ends in what to do.
type problem struct{ reason, message string }

// notify finds out who can be told of churn events, and says so. Of several receivers with a problem the condition
// carries the first; the others of the list are told all the same.
func (r *Reconciler) notify(ctx context.Context, w *v1alpha1.Workspace, c *kube.Conditions) ([]target, error) {
	var targets []target
	var first *problem
	for i, n := range w.Spec.Notifications {
		t, found, err := r.target(ctx, w, n)
		switch {
		case err != nil:
			return nil, err
		case found == nil:
			targets = append(targets, t)
		case first == nil:
			first = &problem{found.reason, fmt.Sprintf("Number %d: %s", i+1, found.message)}
		}
	}
	switch {
	case first != nil:
		c.False(v1alpha1.ConditionNotificationsReady, first.reason, fmt.Sprintf("%d of %d receivers are told of churn events. %s",
			len(targets), len(w.Spec.Notifications), first.message))
	case len(targets) == 0:
		c.True(v1alpha1.ConditionNotificationsReady, v1alpha1.ReasonNoNotifications, "No receiver of churn events is declared.")
	default:
		c.True(v1alpha1.ConditionNotificationsReady, v1alpha1.ReasonPublished, fmt.Sprintf(
			"Receivers that are told of churn events: %d.", len(targets)))
	}
	return targets, nil
}

// target finds out how a receiver is reached; the problem says why it cannot be.
func (r *Reconciler) target(ctx context.Context, w *v1alpha1.Workspace, n v1alpha1.Notification) (target, *problem, error) {
	at, err := url.Parse(n.URL)
	if err != nil || at.Hostname() == "" || at.User != nil {
		// The URL is not repeated: it may hold a secret.
		return target{}, &problem{v1alpha1.ReasonURLInvalid, "The url names no host, or a user. Give one like https://hooks.example.com/churn."}, nil
	}
	secrets, found, err := r.signingSecrets(ctx, w, n.SigningSecretRef)
	if err != nil || found != nil {
		return target{}, found, err
	}
	t := target{host: at.Host, secret: bus.ReceiverSecret{URL: n.URL, Secrets: secrets}}
	for _, eventType := range n.EventTypes {
		t.eventTypes = append(t.eventTypes, string(eventType))
	}
	slices.Sort(t.eventTypes)
	return t, nil, nil
}

// signingSecrets reads what a receiver's events are signed with. It asks the API server each time, since the operator may
// be granted to get the Secret but never to list or watch those of a tenant.
func (r *Reconciler) signingSecrets(ctx context.Context, w *v1alpha1.Workspace, ref v1alpha1.SecretKeyRef) ([]string, *problem, error) {
	var secret corev1.Secret
	err := r.Reader.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: ref.Name}, &secret)
	switch {
	case apierrors.IsForbidden(err):
		subject, err := r.whoAmI(ctx)
		if err != nil {
			return nil, nil, err
		}
		return nil, &problem{v1alpha1.ReasonSecretNotReadable, fmt.Sprintf(
			"The operator may not read Secret %s. Grant it that: %s", ref.Name, grant(w, subject))}, nil
	case apierrors.IsNotFound(err):
		return nil, &problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("There is no Secret %s in this namespace. Create it: "+
			"kubectl -n %s create secret generic %s --from-literal=%s=%s", ref.Name, w.Namespace, ref.Name, ref.Key, makeSecret)}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read signing secret: %w", err)
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return nil, &problem{v1alpha1.ReasonSecretNotFound, fmt.Sprintf("Secret %s has no key %s. Add it, with a value like %s.",
			ref.Name, ref.Key, makeSecret)}, nil
	}
	secrets := strings.Fields(string(value))
	if len(secrets) == 0 || len(secrets) > secretsInRotation || slices.ContainsFunc(secrets, func(s string) bool { return !valid(s) }) {
		return nil, &problem{v1alpha1.ReasonSecretInvalid, fmt.Sprintf("Key %s of Secret %s holds no signing secret: it must be whsec_ "+
			"and 24 to 64 bytes in base64, or up to %d of these separated by spaces. Make one with %s.",
			ref.Key, ref.Name, secretsInRotation, makeSecret)}, nil
	}
	return secrets, nil, nil
}

func valid(secret string) bool {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	return ok && err == nil && len(raw) >= secretLeast && len(raw) <= secretMost
}

// whoAmI is the flag by which kubectl names the operator in a role binding.
func (r *Reconciler) whoAmI(ctx context.Context) (string, error) {
	review, err := r.Reviews.Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("ask who the operator is: %w", err)
	}
	name := review.Status.UserInfo.Username
	if account, ok := strings.CutPrefix(name, "system:serviceaccount:"); ok {
		return "--serviceaccount=" + account, nil
	}
	return "--user=" + name, nil
}

// grant is the command that lets the operator read the workspace's signing secrets by name, and nothing else. It may be
// run again after the names have changed.
func grant(w *v1alpha1.Workspace, subject string) string {
	var names []string
	for _, n := range w.Spec.Notifications {
		if name := "--resource-name=" + n.SigningSecretRef.Name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	role := "kustiq-notifications-" + w.Name
	create := "kubectl -n " + w.Namespace + " create "
	const apply = " --dry-run=client -o yaml | kubectl apply -f -"
	return create + "role " + role + " --verb=get --resource=secrets " + strings.Join(names, " ") + apply + "; " +
		create + "rolebinding " + role + " --role=" + role + " " + subject + apply
}
