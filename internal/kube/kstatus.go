package kube

// The condition types of kstatus that stand for an abnormal state and are present only then.
const (
	// Reconciling says that the controller is on its way to the wanted state, or waits for something on that way.
	Reconciling = "Reconciling"
	// Stalled says that it will not get there until somebody acts.
	Stalled = "Stalled"
)

// Progressing marks the resource as on its way.
func (c *Conditions) Progressing(reason, message string) {
	c.Remove(Stalled)
	c.True(Reconciling, reason, message)
}

// Stuck marks the resource as waiting for a person.
func (c *Conditions) Stuck(reason, message string) {
	c.Remove(Reconciling)
	c.True(Stalled, reason, message)
}

// Settled takes both marks away.
func (c *Conditions) Settled() {
	c.Remove(Reconciling)
	c.Remove(Stalled)
}
