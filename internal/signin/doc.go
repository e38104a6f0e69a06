// Package signin has an OpenID Connect provider say who somebody is. It owns the protocol and how claims become the
// name and groups that role bindings speak of; it must not know about cookies or pages.
package signin
