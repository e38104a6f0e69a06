// Package access asks Kubernetes who the bearer of a token is and what somebody may do in a Workspace, and keeps the
// answers for some seconds. It owns which rights there are and which verbs of Kubernetes they stand for; it must not
// know how somebody signed in or what is shown to them.
package access
