package access

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// answerAge is how long an answer of Kubernetes holds: a right that was taken away is gone after it.
	answerAge = 10 * time.Second
	// maxAnswers bounds the memory of answers, of some 100 bytes each; those not used for longest go first.
	maxAnswers = 20_000
	// authenticated is the group that Kubernetes puts everybody in whom it knows.
	authenticated = "system:authenticated"
)

// ErrUnknownToken is returned for a token that Kubernetes does not know, any more or at all.
var ErrUnknownToken = errors.New("the token is not accepted by Kubernetes")

// User is somebody as Kubernetes knows them.
type User struct {
	// Name is the user name in role bindings.
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
	// Groups without system:authenticated, which everybody is in.
	Groups []string `json:"groups,omitempty"`
	// Extra is what an authenticator of Kubernetes added.
	Extra map[string][]string `json:"extra,omitempty"`
}

// Creator is the part of a Kubernetes client that reviews are asked by.
type Creator interface {
	Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error
}

// Reviewer is safe for concurrent use.
type Reviewer struct {
	kube    Creator
	answers *cache.LRUExpireCache
}

// New returns a reviewer that asks with the given client, whose own rights must include creating SubjectAccessReviews
// and TokenReviews.
func New(kube Creator, clock clock.PassiveClock) (*Reviewer, error) {
	if kube == nil || clock == nil {
		return nil, errors.New("access: a Kubernetes client and a clock are needed")
	}
	return &Reviewer{kube: kube, answers: cache.NewLRUExpireCacheWithClock(maxAnswers, clock)}, nil
}

// Allowed says whether Kubernetes grants the user the right in a workspace. A failure to ask is no permission.
func (r *Reviewer) Allowed(ctx context.Context, user User, right Right, namespace, workspace string) (bool, error) {
	needed := right.attributes(namespace, workspace)
	for _, attributes := range needed {
		allowed, err := r.review(ctx, user, attributes)
		if err != nil || !allowed {
			return false, err
		}
	}
	return len(needed) > 0, nil
}

func (r *Reviewer) review(ctx context.Context, user User, attributes authorizationv1.ResourceAttributes) (bool, error) {
	if user.Name == "" {
		return false, nil
	}
	key, err := keyOf(user, attributes)
	if err != nil {
		return false, err
	}
	if known, ok := r.answers.Get(key); ok {
		return known.(bool), nil
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Name, UID: user.UID, Groups: append(slices.Clone(user.Groups), authenticated),
		ResourceAttributes: &attributes, Extra: map[string]authorizationv1.ExtraValue{},
	}}
	for name, values := range user.Extra {
		review.Spec.Extra[name] = values
	}
	if err := r.kube.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether a user may %s %s: %w", attributes.Verb, attributes.Resource, err)
	}
	allowed := review.Status.Allowed && !review.Status.Denied
	r.answers.Add(key, allowed, answerAge)
	return allowed, nil
}

// keyOf stands for a question. It is a hash, so that a name or group never lies about in memory as a key of others.
func keyOf(parts ...any) (key [sha256.Size]byte, err error) {
	text, err := json.Marshal(parts)
	if err != nil {
		return key, fmt.Errorf("access: %w", err)
	}
	return sha256.Sum256(text), nil
}

// Bearer says whose a token is, or fails with ErrUnknownToken.
func (r *Reviewer) Bearer(ctx context.Context, token string) (User, error) {
	key, err := keyOf("token", token)
	if err != nil {
		return User{}, err
	}
	if known, ok := r.answers.Get(key); ok {
		return known.(User), nil
	}
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := r.kube.Create(ctx, review); err != nil {
		// Not wrapped: an API server may repeat what it was sent.
		return User{}, errors.New("ask whose a token is: the Kubernetes API did not answer")
	}
	if !review.Status.Authenticated || review.Status.User.Username == "" {
		return User{}, ErrUnknownToken
	}
	found := review.Status.User
	user := User{Name: found.Username, UID: found.UID, Extra: map[string][]string{}}
	for _, group := range found.Groups {
		if group != authenticated {
			user.Groups = append(user.Groups, group)
		}
	}
	for name, values := range found.Extra {
		user.Extra[name] = values
	}
	r.answers.Add(key, user, answerAge)
	return user, nil
}
