// Package rbactest lets a test wait until an API server grants what was just written.
package rbactest

import (
	"context"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// CatchUp returns once the API server's authorizer knows every role and binding that was written or deleted before the call, or
// with an error after half a minute. The authorizer follows each of the four kinds by a watch of its own, which keeps the order
// of the writes: once it grants what a marker of each kind says, it has seen all before them. The markers stay; they give a
// made-up right to a made-up user. The config is an administrator's.
func CatchUp(ctx context.Context, config *rest.Config) error {
	unlimited := rest.CopyConfig(config)
	unlimited.QPS = -1
	kube, err := kubernetes.NewForConfig(unlimited)
	if err != nil {
		return err
	}
	const group, namespace = "rbactest.kustiq.io", metav1.NamespaceDefault
	meta := metav1.ObjectMeta{Name: "rbactest-" + string(uuid.NewUUID())}
	user := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: meta.Name}}
	may := func(resource string) []rbacv1.PolicyRule {
		return []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{group}, Resources: []string{resource}}}
	}
	role := func(kind string) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: meta.Name}
	}
	api, now := kube.RbacV1(), metav1.CreateOptions{}
	_, err1 := api.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: may("everywhere")}, now)
	_, err2 := api.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: role("ClusterRole"), Subjects: user}, now)
	_, err3 := api.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: may("here")}, now)
	_, err4 := api.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: role("Role"), Subjects: user}, now)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return fmt.Errorf("write the markers: %w", err)
	}
	for _, resource := range []string{"everywhere", "here"} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               meta.Name,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Group: group, Resource: resource, Namespace: namespace},
		}}
		err := wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			answer, err := kube.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, now)
			return err == nil && answer.Status.Allowed, err
		})
		if err != nil {
			return fmt.Errorf("await the right to get %s.%s: %w", resource, group, err)
		}
	}
	return nil
}
