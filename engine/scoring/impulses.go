package scoring

// paused finds the pause that weighs most: one that lasts, one that its subscription's end cut off, or one resumed.
func (s *State) paused() impulse {
	var worst impulse
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		var p impulse
		switch {
		case sub.Paused && sub.DeletedAt == 0:
			p = impulse{coefficient: coefPaused, held: true, evidence: sub.PauseID}
		case sub.Paused:
			// The pause is over but nothing was won: it fades, so that the end does not lower the score.
			p = impulse{coefficient: coefPaused, from: sub.DeletedAt, halfLife: pausedHalfLife, evidence: sub.PauseID}
		case sub.ResumedAt != 0:
			p = impulse{coefficient: coefResumed, from: sub.ResumedAt, halfLife: pausedHalfLife, evidence: sub.ResumeID}
		default:
			continue
		}
		if worst.coefficient == 0 || outweighs(&p, &worst) {
			worst = p
		}
	}
	return worst
}

// outweighs compares two impulses of one half-life, which keep their order at any instant after both. It goes by the prior,
// so that which of them counts does not depend on a fit.
func outweighs(a, b *impulse) bool {
	if a.held || b.held {
		return a.held && !b.held
	}
	at := max(a.from, b.from)
	return priorWeights[a.coefficient]*a.unit(at) > priorWeights[b.coefficient]*b.unit(at)
}

// deleted is the newest end of a subscription beside another live one, or of the last one.
func (s *State) deleted() impulse {
	var newest *subscription
	for before := int64(never); ; {
		newest = nil
		for i := range s.m.Subscriptions {
			sub := &s.m.Subscriptions[i]
			if sub.DeletedAt != 0 && sub.DeletedAt < before && (newest == nil || sub.DeletedAt > newest.DeletedAt) {
				newest = sub
			}
		}
		if newest == nil {
			return impulse{}
		}
		if s.liveBeside(newest, newest.DeletedAt) || !s.anyLive() {
			return impulse{coefficient: coefDeleted, from: newest.DeletedAt, halfLife: deletedHalfLife, evidence: newest.DeletedID}
		}
		before = newest.DeletedAt
	}
}

func (s *State) anyLive() bool {
	for i := range s.m.Subscriptions {
		if s.m.Subscriptions[i].live() {
			return true
		}
	}
	return false
}

// liveBeside reports whether another subscription than this one was live at an instant.
func (s *State) liveBeside(this *subscription, t int64) bool {
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub != this && sub.liveAt(t) {
			return true
		}
	}
	return false
}

// withdrawn is the newest cancellation taken back on a subscription.
func (s *State) withdrawn() impulse {
	var newest impulse
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub.WithdrawnAt > newest.from {
			newest = impulse{coefficient: coefWithdrawn, from: sub.WithdrawnAt, halfLife: returnHalfLife, evidence: sub.WithdrawnID}
		}
	}
	return newest
}

// returned is the newest live subscription that began after every other one had ended; of a churned customer, the
// newest of all.
func (s *State) returned() impulse {
	var newest impulse
	churned := !s.anyLive()
	for i := range s.m.Subscriptions {
		sub := &s.m.Subscriptions[i]
		if (sub.live() || churned) && sub.Start > newest.from && s.endedBefore(sub) && !s.liveBeside(sub, sub.Start) {
			newest = impulse{coefficient: coefReturned, from: sub.Start, halfLife: returnHalfLife, evidence: sub.FirstID}
		}
	}
	return newest
}

func (s *State) endedBefore(this *subscription) bool {
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub != this && sub.DeletedAt != 0 && sub.Start < this.Start && sub.DeletedAt <= this.Start {
			return true
		}
	}
	return false
}
