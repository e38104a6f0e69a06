package signin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/kustiq/kustiq/internal/access"
)

const (
	// noPrefix stands for an empty prefix, as in kube-apiserver's flags.
	noPrefix = "-"
	// reserved begins the names that Kubernetes gives to its own parts: no provider may give them to anybody.
	reserved = "system:"
	// maxName and maxGroups bound what a session keeps of somebody. Groups beyond it are left out, which only ever
	// takes rights away.
	maxName   = 512
	maxGroups = 500
)

// Claims says which claims name somebody and their groups. Fields and their defaults are those of kube-apiserver's
// --oidc flags, so that role bindings hold for kubectl and for the dashboard alike.
type Claims struct {
	// Username is the claim with the name. Default sub.
	Username string
	// UsernamePrefix comes before it. Default the issuer and #, and nothing for the claim email; - is nothing.
	UsernamePrefix string
	// Groups is the claim with the groups, a string or a list of them. Without one there are no groups.
	Groups string
	// GroupsPrefix comes before each.
	GroupsPrefix string
}

func (c Claims) withDefaults(issuer string) Claims {
	if c.Username == "" {
		c.Username = "sub"
	}
	switch {
	case c.UsernamePrefix == noPrefix:
		c.UsernamePrefix = ""
	case c.UsernamePrefix == "" && c.Username != "email":
		c.UsernamePrefix = issuer + "#"
	}
	if c.GroupsPrefix == noPrefix {
		c.GroupsPrefix = ""
	}
	return c
}

// user reads the claims of a verified token. Its errors name claims and never their values.
func (c Claims) user(token *oidc.IDToken) (access.User, error) {
	claims := map[string]json.RawMessage{}
	if err := token.Claims(&claims); err != nil {
		return access.User{}, fmt.Errorf("%w: the claims cannot be read", ErrNoName)
	}
	var name string
	if json.Unmarshal(claims[c.Username], &name) != nil || name == "" {
		return access.User{}, fmt.Errorf("%w: there is no claim %q with a text", ErrNoName, c.Username)
	}
	if c.Username == "email" {
		var verified bool
		if value, ok := claims["email_verified"]; ok && (json.Unmarshal(value, &verified) != nil || !verified) {
			return access.User{}, fmt.Errorf("%w: the e-mail address is not verified", ErrNoName)
		}
	}
	user := access.User{Name: c.UsernamePrefix + name}
	if strings.HasPrefix(user.Name, reserved) || len(user.Name) > maxName {
		return access.User{}, fmt.Errorf("%w: the name begins with %s or is too long", ErrNoName, reserved)
	}
	var err error
	if user.Groups, err = c.groups(claims); err != nil {
		return access.User{}, err
	}
	return user, nil
}

func (c Claims) groups(claims map[string]json.RawMessage) (groups []string, err error) {
	value, ok := claims[c.Groups]
	if c.Groups == "" || !ok || string(value) == "null" {
		return nil, nil
	}
	var all []string
	var one string
	if json.Unmarshal(value, &one) == nil {
		all = []string{one}
	} else if json.Unmarshal(value, &all) != nil {
		return nil, fmt.Errorf("%w: the claim %q is neither a text nor a list of texts", ErrNoName, c.Groups)
	}
	for _, group := range all {
		group = c.GroupsPrefix + group
		if group == "" || len(group) > maxName || strings.HasPrefix(group, reserved) || len(groups) == maxGroups {
			continue
		}
		groups = append(groups, group)
	}
	return groups, nil
}
