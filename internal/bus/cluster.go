package bus

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/nats-io/nats-server/v2/server"
)

// clusterName is the same for all members. Regions have clusters that do not know each other.
const clusterName = "kustiq"

// ClusterOptions of a server that shares its streams with others, so that one may fail. Three members keep three copies.
type ClusterOptions struct {
	// Name of this member, which it must keep over restarts.
	Name string
	// Listen is host:port for the other members.
	Listen string
	// Members are the host:port of all members; this one may be among them.
	Members []string
}

// clusterUser is the name under which members present the token to each other.
const clusterUser = "kustiq"

func (c *ClusterOptions) apply(to *server.Options, token string) error {
	if c.Name == "" || len(c.Members) == 0 || token == "" {
		return errors.New("bus: a member of a cluster needs a name, the addresses of all members and a token")
	}
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return fmt.Errorf("bus: cluster address: %w", err)
	}
	to.ServerName = c.Name
	to.Cluster = server.ClusterOpts{Name: clusterName, Host: host, Port: port, Username: clusterUser, Password: token}
	for _, member := range c.Members {
		to.Routes = append(to.Routes, &url.URL{Scheme: "nats", Host: member, User: url.UserPassword(clusterUser, token)})
	}
	return nil
}

// Ready tells whether the server can take and give: alone it can; a member of a cluster must have caught up with it.
func (s *Server) Ready() bool {
	return !s.nats.JetStreamIsClustered() || s.nats.JetStreamIsCurrent()
}
