package install

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kustiq/kustiq/internal/rbactest"
)

// The rights of each role, as lines of a rules review: verb group/resource, with [names]. There are no others but what
// Kubernetes lets everybody do, such as this very question.
var (
	ofOperator = []string{
		"create events.k8s.io/events", "patch events.k8s.io/events",
		"get integrations.kustiq.io/workspaces", "list integrations.kustiq.io/workspaces", "watch integrations.kustiq.io/workspaces",
		"get integrations.kustiq.io/stripeconnections", "list integrations.kustiq.io/stripeconnections",
		"watch integrations.kustiq.io/stripeconnections", "patch integrations.kustiq.io/stripeconnections",
		"get integrations.kustiq.io/backfills", "list integrations.kustiq.io/backfills", "watch integrations.kustiq.io/backfills",
		"create integrations.kustiq.io/backfills", "patch integrations.kustiq.io/backfills", "delete integrations.kustiq.io/backfills",
		"get integrations.kustiq.io/workspaces/status", "patch integrations.kustiq.io/workspaces/status",
		"get integrations.kustiq.io/stripeconnections/status", "patch integrations.kustiq.io/stripeconnections/status",
		"get integrations.kustiq.io/backfills/status", "patch integrations.kustiq.io/backfills/status",
		"update integrations.kustiq.io/stripeconnections/finalizers", "update integrations.kustiq.io/backfills/finalizers",
	}
	ofOperatorAtHome = append(slices.Clone(ofOperator),
		"get /secrets", "list /secrets", "watch /secrets", "create /secrets", "patch /secrets", "delete /secrets",
		"update /secrets [kustiq-keys]",
		"get /configmaps", "list /configmaps", "watch /configmaps", "create /configmaps", "delete /configmaps",
		"get coordination.k8s.io/leases", "create coordination.k8s.io/leases", "update coordination.k8s.io/leases",
	)
	ofDashboard = []string{
		"get integrations.kustiq.io/workspaces", "list integrations.kustiq.io/workspaces", "watch integrations.kustiq.io/workspaces",
		"get integrations.kustiq.io/stripeconnections", "list integrations.kustiq.io/stripeconnections",
		"watch integrations.kustiq.io/stripeconnections", "patch integrations.kustiq.io/stripeconnections", "delete integrations.kustiq.io/stripeconnections",
		"get integrations.kustiq.io/backfills", "list integrations.kustiq.io/backfills", "watch integrations.kustiq.io/backfills",
		"create integrations.kustiq.io/backfills",
		"create authorization.k8s.io/subjectaccessreviews", "create authentication.k8s.io/tokenreviews",
	}
)

// installRights applies the rights of the chart, for the ServiceAccounts of the release kustiq.
func installRights(t *testing.T) {
	t.Helper()
	ensureNamespace(t)
	for _, object := range render(t) {
		switch object.GetKind() {
		case "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding":
			if err := kube.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test")); err != nil {
				t.Fatal(err)
			}
		}
	}
	granted(t)
}

// granted waits until the API server grants what was written.
func granted(t *testing.T) {
	t.Helper()
	if err := rbactest.CatchUp(t.Context(), cluster.Config); err != nil {
		t.Fatal(err)
	}
}

// account is the user that a role is.
func account(role string) (user string, groups []string) {
	return "system:serviceaccount:" + namespace + ":kustiq-" + role,
		[]string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
}

// rules asks Kubernetes what somebody may do in a namespace.
func rules(t *testing.T, c client.Client, in string) []string {
	t.Helper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: in}}
	if err := c.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	if review.Status.Incomplete {
		t.Fatalf("the answer is incomplete: %s", review.Status.EvaluationError)
	}
	var lines []string
	for _, rule := range review.Status.ResourceRules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					line := fmt.Sprintf("%s %s/%s", verb, group, resource)
					if len(rule.ResourceNames) > 0 {
						line += fmt.Sprintf(" %v", rule.ResourceNames)
					}
					lines = append(lines, line)
				}
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func TestEachRoleMayDoWhatItNeedsAndNothingElse(t *testing.T) {
	installRights(t)
	everybody := rules(t, as(t, "system:serviceaccount:default:somebody", "system:serviceaccounts", "system:authenticated"), "default")
	for role, want := range map[string]struct{ home, elsewhere []string }{
		"operator":  {ofOperatorAtHome, ofOperator},
		"worker":    {[]string{"get /secrets"}, nil},
		"dashboard": {ofDashboard, ofDashboard},
		"receiver":  {},
		"engine":    {},
		"bus":       {},
	} {
		t.Run(role, func(t *testing.T) {
			user, groups := account(role)
			c := as(t, user, groups...)
			for in, want := range map[string][]string{namespace: want.home, "default": want.elsewhere} {
				want = append(slices.Clone(want), everybody...)
				got := rules(t, c, in)
				for _, line := range want {
					if !slices.Contains(got, line) {
						t.Errorf("in %s it may not %s", in, line)
					}
				}
				for _, line := range got {
					if !slices.Contains(want, line) {
						t.Errorf("in %s it may %s", in, line)
					}
				}
			}
		})
	}
}

func TestWhatNoRoleMayDo(t *testing.T) {
	installRights(t)
	for _, role := range []string{"operator", "worker", "dashboard", "receiver", "engine", "bus"} {
		user, groups := account(role)
		for _, never := range []authorizationv1.ResourceAttributes{
			{Verb: "get", Resource: "secrets", Namespace: "default"},
			{Verb: "list", Resource: "secrets"},
			{Verb: "create", Resource: "pods", Namespace: namespace},
			{Verb: "create", Resource: "serviceaccounts", Subresource: "token", Namespace: namespace},
			{Verb: "impersonate", Resource: "users"},
			{Verb: "create", Group: rbacv1.GroupName, Resource: "rolebindings", Namespace: namespace},
			{Verb: "escalate", Group: rbacv1.GroupName, Resource: "clusterroles"},
			{Verb: "update", Group: "integrations.kustiq.io", Resource: "workspaces", Namespace: "default"},
			{Verb: "delete", Group: "integrations.kustiq.io", Resource: "workspaces", Namespace: "default"},
			{Verb: "patch", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
		} {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &never}}
			if err := as(t, user, groups...).Create(t.Context(), review); err != nil {
				t.Fatal(err)
			}
			if review.Status.Allowed {
				t.Errorf("the %s may %s %s/%s in %q", role, never.Verb, never.Group, never.Resource, never.Namespace)
			}
		}
	}
}

// TestTenantRoles binds the roles that are added to Kubernetes' own; adding them is the work of a controller that is not part of
// the API server.
func TestTenantRoles(t *testing.T) {
	installRights(t)
	roles := []string{"kustiq-view", "kustiq-edit", "kustiq-erase", "kustiq-platform"}
	for _, role := range roles {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: role}},
		}
		if err := kube.Create(t.Context(), binding); err != nil && !apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
	granted(t)
	may := map[string][]string{}
	for _, role := range roles {
		for _, line := range rules(t, as(t, role), "default") {
			if verb, resource, ok := strings.Cut(line, " integrations.kustiq.io/"); ok {
				may[role] = append(may[role], verb+" "+resource)
			}
		}
	}
	for role, want := range map[string]string{
		"kustiq-view": "get backfills, get stripeconnections, get workspaces, list backfills, list stripeconnections, list workspaces, " +
			"watch backfills, watch stripeconnections, watch workspaces",
		"kustiq-edit": "create backfills, create stripeconnections, delete backfills, delete stripeconnections, " +
			"patch backfills, patch stripeconnections, update backfills, update stripeconnections",
		"kustiq-erase": "erase workspaces",
		"kustiq-platform": "create workspaces, delete workspaces, get workspaces, list workspaces, patch workspaces, update workspaces, " +
			"watch workspaces",
	} {
		if got := strings.Join(may[role], ", "); got != want {
			t.Errorf("%s may %s", role, got)
		}
	}
	for role, label := range map[string]string{"kustiq-view": "view", "kustiq-edit": "edit", "kustiq-erase": "admin"} {
		var found rbacv1.ClusterRole
		if err := kube.Get(t.Context(), client.ObjectKey{Name: role}, &found); err != nil {
			t.Fatal(err)
		}
		if found.Labels["rbac.authorization.k8s.io/aggregate-to-"+label] != "true" {
			t.Errorf("%s is not added to Kubernetes' %s", role, label)
		}
	}
}
