package access

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/kustiq/kustiq/api/v1alpha1"
)

// Right is something that a person may do in one Workspace.
type Right string

// The rights. Each other right is of use to those only who may view as well.
const (
	// View is to see scores, customers and connections: get workspaces.
	View Right = "view"
	// Operate is to connect, replay, rotate, match, import and re-drive: update stripeconnections and create backfills.
	Operate Right = "operate"
	// Disconnect is to end a connection: delete stripeconnections.
	Disconnect Right = "disconnect"
	// Erase is to remove what is kept of a Workspace: erase workspaces, a verb that only Kustiq knows.
	Erase Right = "erase"
)

// Words say what a right is good for, to follow "you may not".
func (r Right) Words() string {
	switch r {
	case View:
		return "see this workspace"
	case Operate:
		return "change connections, matches and profiles of this workspace"
	case Disconnect:
		return "disconnect accounts of this workspace"
	case Erase:
		return "erase data of this workspace"
	}
	return "do this"
}

// Ask says which verbs a right needs, as kubectl auth can-i takes them.
func (r Right) Ask() string {
	switch r {
	case View:
		return "get workspaces"
	case Operate:
		return "update stripeconnections and create backfills"
	case Disconnect:
		return "delete stripeconnections"
	case Erase:
		return "erase workspaces"
	}
	return ""
}

// attributes are what Kubernetes must allow, all of it.
func (r Right) attributes(namespace, workspace string) []authorizationv1.ResourceAttributes {
	of := func(verb, resource, name string) authorizationv1.ResourceAttributes {
		return authorizationv1.ResourceAttributes{
			Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: resource, Verb: verb, Namespace: namespace, Name: name,
		}
	}
	switch r {
	case View:
		return []authorizationv1.ResourceAttributes{of("get", "workspaces", workspace)}
	case Operate:
		return []authorizationv1.ResourceAttributes{of("update", "stripeconnections", ""), of("create", "backfills", "")}
	case Disconnect:
		return []authorizationv1.ResourceAttributes{of("delete", "stripeconnections", "")}
	case Erase:
		return []authorizationv1.ResourceAttributes{of("erase", "workspaces", workspace)}
	}
	return nil
}
