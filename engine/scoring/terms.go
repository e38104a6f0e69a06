package scoring

import (
	"cmp"
	"math"
	"slices"

	"github.com/kustiq/kustiq/engine/signal"
)

// negligible is the weight below which a faded term is left out; all of them together stay below 1e-9.
const negligible = 1e-11

var termNames = [termCount]string{
	"baseline", "open_dunning", "residual", "price_change", "pause", "dispute", "subscription_deleted",
	"cancel_withdrawn", "resubscribed", "cancel_scheduled",
}

// terms explains a score: the baseline first, then the heaviest.
func (s *State) terms(c *curve, values *[termCount]float64, t int64, p *Params) []Term {
	terms := make([]Term, 0, 4)
	for i, value := range values {
		if i != termBaseline && math.Abs(value) < negligible {
			continue
		}
		term := Term{Name: termNames[i], LogOdds: value, Points: pointsPerLogOdds * value, Basis: BasisPrior}
		s.explain(&term, i, c, t)
		term.Evidence = named(term.Evidence)
		if c.fitted(i, t, p) {
			term.Basis, term.Model = BasisFitted, p.Version
		}
		terms = append(terms, term)
	}
	slices.SortStableFunc(terms[1:], func(a, b Term) int { return cmp.Compare(math.Abs(b.LogOdds), math.Abs(a.LogOdds)) })
	return terms
}

// explain adds a term's words, basis and evidence.
func (s *State) explain(term *Term, index int, c *curve, t int64) {
	switch index {
	case termBaseline:
		term.Label, term.Basis = c.base.label(t), c.base.basis(t)
	case termDunning:
		term.Label, term.Basis, term.Evidence = c.dunning.label(), BasisData, s.dunningEvidence()
	case termResidual:
		term.Label, term.Basis = c.residual.label(), BasisData
		term.Evidence = []string{c.residual.Evidence}
	case termPrice:
		term.Label, term.Evidence = s.m.Price.label(t), slices.Clone(s.m.Price.Evidence)
	case termPause:
		term.Label, term.Basis, term.Evidence = c.pauseLabel(), BasisData, []string{c.pause.evidence}
	case termDispute:
		term.Label, term.Evidence = s.m.Disputes.explain()
	case termDeleted:
		term.Label, term.Evidence = c.deletedLabel(), []string{c.deleted.evidence}
	case termWithdrawn:
		term.Label, term.Evidence = "Took back a cancellation", []string{c.withdrawn.evidence}
	case termReturned:
		term.Label, term.Evidence = "Came back after an earlier subscription ended", []string{c.returned.evidence}
	case termCancel:
		term.Label, term.Evidence = s.endLabel(), s.endEvidence()
	}
}

// named gives evidence the names that Stripe knows, each once: one event may have brought several signals.
func named(ids []string) []string {
	names := ids[:0]
	for _, id := range ids {
		if name := signal.Name(id); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// fitted says whether the workspace's history has moved a term's weight.
func (c *curve) fitted(term int, t int64, p *Params) bool {
	switch term {
	case termBaseline:
		return p.Intercept != 0
	case termDunning:
		return p.Fitted[coefDunning+min(c.dunning.failures, dunningLevels)-1]
	case termResidual:
		return p.Fitted[coefResidual]
	case termPrice:
		if c.priceSum(t) > 0 {
			return p.Fitted[coefPriceDown]
		}
		return p.Fitted[coefPriceUp]
	case termPause:
		return p.Fitted[c.pause.coefficient]
	case termDispute:
		return p.Fitted[coefDispute]
	case termDeleted:
		return !c.churned && p.Fitted[coefDeleted]
	case termWithdrawn:
		return p.Fitted[coefWithdrawn]
	case termReturned:
		return p.Fitted[coefReturned]
	default: // a scheduled end lifts the odds to the same height in every workspace
		return false
	}
}

// endEvidence lists what scheduled the end of each live subscription.
func (s *State) endEvidence() []string {
	var ids []string
	for i := range s.m.Subscriptions {
		if sub := &s.m.Subscriptions[i]; sub.live() && sub.Ending {
			ids = append(ids, sub.EndingID)
		}
	}
	return ids
}

// explain counts the disputes that still weigh something and names the newest of them.
func (d *disputes) explain() (label string, evidence []string) {
	from := d.At - disputeShown
	recent := 0
	for i := range d.Known {
		if d.Known[i].At >= from {
			recent++
		}
	}
	for i := max(0, len(d.Known)-min(recent, evidenceKept)); i < len(d.Known); i++ {
		evidence = append(evidence, d.Known[i].Evidence)
	}
	if recent == 1 {
		return "Disputed a charge with the bank", evidence
	}
	return "Disputed " + number(recent) + " charges with the bank", evidence
}

// disputeShown is how long before the newest one a dispute is still told of: four half-lives.
const disputeShown = 28 * 86400
